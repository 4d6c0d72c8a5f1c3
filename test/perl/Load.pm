# Load: writers, and SQL scripts in loops, beside each other and a test.
#
#   my $senders = start_senders($node, dir => $dir, senders => 8, spans => 20, days => 2);
#   snapshot_functions($node);                          # seen(), read_stable(), check_now()
#   my $loop = start_loop($node, $dir, 'snapshots', 2, 25, "...");   # pgbench: clients, seconds, script
#   loop_finished($loop);                               # a test: no transaction failed
#   my %sum = stop_senders($senders);                   # sent, acknowledged, refused: requests
package Load;
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;

our @EXPORT = qw(start_senders stop_senders snapshot_functions start_loop loop_finished);

$ENV{PYTHONDONTWRITEBYTECODE} = 1;
my @stops;

# Senders of test/lib/sender.py, numbered from `first`; they leave journals in the directory. They stop whatever happens to the test.
sub start_senders
{
	my ($node, %opt) = @_;
	my @pids;

	push @stops, "$opt{dir}/stop";
	for my $n (0 .. $opt{senders} - 1)
	{
		my $pid = fork // die "fork: $!";
		if (!$pid)
		{
			open STDOUT, '>', "$opt{dir}/sent.$n" or die;
			exec 'python3', "$FindBin::Bin/../lib/sender.py", $node->{tempo_port}{otlp}, $n + ($opt{first} // 0), "$opt{dir}/journal.$n", "$opt{dir}/stop",
			  $opt{spans}, $opt{days}, $opt{pause} // 0 or die;
		}
		push @pids, $pid;
	}
	return { %opt, pids => \@pids };
}

sub stop_senders
{
	my ($senders) = @_;
	my %sum;

	append_to_file("$senders->{dir}/stop", 'stop');
	waitpid $_, 0 for @{ $senders->{pids} };
	for my $n (0 .. $senders->{senders} - 1)
	{
		my %count = slurp_file("$senders->{dir}/sent.$n") =~ /(\w+) (\d+)/g;
		$sum{$_} += $count{$_} for keys %count;
	}
	return %sum;
}

END { append_to_file($_, 'stop') for grep { -d dirname($_) } @stops }

sub dirname { return $_[0] =~ s{/[^/]*$}{}r }

# All requests have twenty spans: other counts are of parts of one.
sub snapshot_functions
{
	my ($node) = @_;

	sql($node, <<'SQL');
-- What a snapshot sees: how many spans, and a sum that depends on every one of them.
CREATE FUNCTION seen(OUT n bigint, OUT digest numeric) LANGUAGE sql AS $$
SELECT count(*), sum(hashtextextended(span_id::text || name || (attributes ->> 'text') || start_time || duration_ns, 0)) FROM tempo.spans $$;

-- In a transaction of isolation level repeatable read: the same as long as it lasts, and never part of a request.
CREATE FUNCTION read_stable(rounds integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first record := seen();
    next record;
BEGIN
    IF first.n % 20 <> 0 THEN
        RAISE 'part of a request is visible: % spans', first.n;
    END IF;
    FOR i IN 1..rounds LOOP
        PERFORM pg_sleep(0.1);
        next := seen();
        IF next IS DISTINCT FROM first THEN
            RAISE 'a snapshot saw %, then %', first, next;
        END IF;
    END LOOP;
    IF (SELECT count(*) FROM traceql('{ }')) <> first.n THEN
        RAISE 'TraceQL sees other spans than SQL';
    END IF;
END $$;

CREATE FUNCTION check_now() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    problem text;
BEGIN
    FOR problem IN SELECT * FROM tempo_check() LOOP
        RAISE 'tempo_check: %', problem;
    END LOOP;
END $$;
SQL
	return;
}

sub start_loop
{
	my ($node, $dir, $what, $clients, $seconds, $script, @more) = @_;
	my $file = "$dir/" . $what =~ tr/ /_/r;
	my $pid;

	append_to_file("$file.sql", $script);
	$pid = fork // die "fork: $!";
	if (!$pid)
	{
		open STDOUT, '>', "$file.out" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec 'pgbench', '-n', @more, '-c', $clients, '-T', $seconds, '-f', "$file.sql", $node->connstr('postgres') or die;
	}
	return { what => $what, pid => $pid, out => "$file.out" };
}

# Returns its name and how often it ran.
sub loop_finished
{
	my ($loop) = @_;

	waitpid $loop->{pid}, 0;
	my $status = $?;
	my $out = slurp_file($loop->{out});
	my ($n) = $out =~ /actually processed: (\d+)/;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($status == 0 && $n, "$loop->{what}: no errors") or diag($out);
	return "$loop->{what} " . ($n // 0);
}

1;
