# The long run (make soak): SOAK_MINUTES (120) of ingest at SOAK_RATE (3000) spans a second, late and repeated spans
# among them, with merges, queries, vacuum, retention, a standby, a transaction that stays open for a quarter of
# the run and something killed every twelfth of it. All the time every answer is held against a ledger of what was
# acknowledged; memory and files have to be steady, and at the end every request is there whole.
use strict;
use warnings;
use lib 'test/perl', 'test/soak';
use Gauge;
use IPC::Run;
use JSON::PP;
use Kill;
use Ledger;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use TempoTest;
use Time::HiRes qw(sleep time);

my $minutes = $ENV{SOAK_MINUTES} || 120;
my $rate = $ENV{SOAK_RATE} || 3000;
my $senders = 4;
$SIG{TERM} = $SIG{INT} = sub { die "stopped\n" };
my $twelfth = $minutes * 60 / 12;
my $dir = PostgreSQL::Test::Utils::tempdir();
my $today = int(time / 86400);

my $node = tempo_node('soak', allows_streaming => 1, conf => <<'CONF');
fsync = on
full_page_writes = on
restart_after_crash = on
shared_buffers = '256MB'
max_wal_size = '1GB'
max_connections = 60
autovacuum_naptime = '10s'
tempo.segment_rows = 100000
tempo.merge_delay = '30s'
tempo.maintenance_interval = '5s'
tempo.max_future = -1
tempo.image_cache = '16MB'
CONF
sql($node, 'CREATE EXTENSION amcheck');
sql($node, q{SELECT pg_create_physical_replication_slot('standby')});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('soak_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->append_conf('postgresql.conf', "primary_slot_name = 'standby'\nhot_standby_feedback = on\n");
$standby->start;
wait_for_port($standby->{tempo_port}{http});

my $ledger = Ledger->new($dir, $senders);
my $gauge = Gauge->new($node);
my ($queries, $wrong, $kills) = (0, 0, 0);
my $kept_from = -1;    # days before this are dropped, or being dropped
my $began = time;

sub elapsed { return (time - $began) / 60 }
sub say { return note(sprintf('%6.1f min: ', elapsed()) . "@_") }

# ---- senders

my @pids = map { start_sender($_) } 0 .. $senders - 1;

sub start_sender
{
	my ($n) = @_;
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	exec 'python3', '-B', 'test/soak/sender.py', $node->{tempo_port}{otlp}, $n, "$dir/journal.$n", "$dir/stop", $rate / $senders or die;
}

sub stop_senders
{
	append_to_file("$dir/stop", 'stop') unless -e "$dir/stop";
	waitpid $_, 0 for @pids;
	@pids = ();
	return;
}

END { stop_senders() if @pids && -d $dir }

# ---- questions

sub hold_against
{
	my ($what, $got, $least, $most) = @_;

	$queries++;
	return if defined $got && $got =~ /^\d+$/ && $got >= $least && $got <= $most;
	$wrong++;
	fail(sprintf '%.1f min: %s: %s, not between %s and %s', elapsed(), $what, $got // 'nothing', $least, $most);
	return;
}

# Ask a question that counts spans of some seconds; the answer lies between what was acknowledged before and may be there after.
sub ask_count
{
	my ($what, $from, $to, $ask) = @_;

	$ledger->read;
	my ($least) = $ledger->spans($from, $to);
	my $got = $ask->();
	$ledger->read;
	my (undef, $most) = $ledger->spans($from, $to);
	hold_against($what, $got, $least, $most);
	return;
}

sub by_day
{
	my ($server, $name) = @_;

	$ledger->read;
	my %least = map { $_ => ($ledger->spans($_ * 86400, ($_ + 1) * 86400))[0] } $ledger->days;
	up_to_date($server);
	my %got = map { split /\|/ } split /\n/,
	  sql($server, q{SELECT (date_trunc('day', start_time AT TIME ZONE 'UTC')::date - '1970-01-01'::date), count(*) FROM tempo.spans WHERE service = 'plain' GROUP BY 1});
	$ledger->read;
	for my $day (grep { $_ >= $kept_from } $ledger->days)
	{
		my (undef, $most) = $ledger->spans($day * 86400, ($day + 1) * 86400);
		hold_against("$name, day $day", $got{$day} // 0, $least{$day} // 0, $most);
	}
	return;
}

# On the standby: what was acknowledged by now has to be there.
sub up_to_date
{
	my ($server) = @_;

	$node->wait_for_catchup($server, 'replay', $node->lsn('flush')) if $server != $node;
	return;
}

sub minute_in_sql
{
	my ($server, $name) = @_;
	my $from = int(time / 60) * 60 - 60 * int(rand 12);

	ask_count("$name, a minute in SQL", $from, $from + 60, sub {
		up_to_date($server);
		sql($server, "SELECT count(*) FROM tempo.spans WHERE service = 'plain' AND start_time >= to_timestamp($from) AND start_time < to_timestamp($from + 60)") });
	return;
}

# The first interval ends where the range begins.
sub minutes_in_traceql
{
	my ($server, $name) = @_;
	my $from = int(time / 60) * 60 - 600;

	ask_count("$name, minutes in TraceQL", $from, $from + 600, sub {
		up_to_date($server);
		sql($server, "SELECT sum(value)::bigint FROM traceql_metrics('{ resource.service.name = \"plain\" } | count_over_time()', to_timestamp($from), to_timestamp($from + 600), '1 minute') WHERE time > to_timestamp($from)") });
	return;
}

# Through HTTP: the spans of a trace by its id.
sub one_trace
{
	my ($server, $name) = @_;

	$ledger->read;
	my ($sender, $number) = $ledger->acknowledged or return;
	my $since = $kept_from * 86400;
	my ($least) = $ledger->trace_spans($sender, $number, $since);
	my $id = sql($node, "SELECT md5('soak $sender/' || $number / 2)");

	up_to_date($server);
	my $r = api_get($server, "/api/traces/$id");
	$ledger->read;
	my (undef, $most) = $ledger->trace_spans($sender, $number, $since);
	my $got = $r->{status} == 404 ? 0 : $r->{status} != 200 ? "$r->{status} $r->{content}"
	  : eval { my $n = 0; $n += @{ $_->{spans} } for map { @{ $_->{scopeSpans} } } @{ decode_json($r->{content})->{batches} }; $n };
	hold_against("$name, a trace over HTTP", $got, $least, $most);
	return;
}

# ---- a transaction that stays open

my $old;

sub ask_old
{
	${ $old->{in} } .= "SELECT 'seen', count(*), sum(duration_ns), count(DISTINCT service) FROM tempo.spans;\n";
	my $before = () = ${ $old->{out} } =~ /seen\|/g;
	$old->{psql}->pump until (() = ${ $old->{out} } =~ /seen\|.*\n/g) > $before;
	my @seen = ${ $old->{out} } =~ /(seen\|.*)\n/g;
	$queries++;
	return if $seen[-1] eq $seen[0];
	$wrong++;
	fail("the old transaction saw $seen[0], then $seen[-1]");
	return;
}

sub open_old
{
	my ($in, $out) = ("BEGIN ISOLATION LEVEL REPEATABLE READ;\n", '');

	$old = { in => \$in, out => \$out, psql => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out) };
	ask_old();
	say("an old transaction begins: ${ $old->{out} }");
	return;
}

sub close_old
{
	ask_old();
	${ $old->{in} } .= "COMMIT;\n\\q\n";
	$old->{psql}->finish;
	$old = undef;
	say('the old transaction ends');
	return;
}

# ---- kills, retention, vacuum

# While a transaction is to stay open the standby is what suffers.
sub kill_something
{
	my $server = $old ? $standby : $node;
	my $name = $old ? 'standby' : 'primary';
	my @children = children_of(postmaster($server));
	my @workers = split /\n/, sql($server, 'SELECT pid FROM tempo.status WHERE pid IS NOT NULL');
	my $dice = int rand 3;

	$kills++;
	if ($dice == 0) { say("kill $kills: the postmaster of the $name"); kill_postmaster($server) }
	else
	{
		my @candidates = $dice == 1 ? @workers : @children;
		my $pid = $candidates[ rand @candidates ];
		open my $in, '<', "/proc/$pid/cmdline" or return;
		say("kill $kills: a process of the $name: " . (readline($in) =~ s/\0.*//sr));
		close $in;
		kill_process($server, $pid);
	}
	wait_for_port($node->{tempo_port}{otlp});
	wait_for_port($_->{tempo_port}{http}) for $node, $standby;
	return;
}

sub set
{
	my ($setting) = @_;

	sql($node, "ALTER SYSTEM SET $setting");
	$node->reload;
	say($setting);
	return;
}

# Only days from so many before today on stay.
sub retain
{
	my ($days) = @_;

	$kept_from = $today - $days;
	return set("tempo.retention = '${days}d'");
}

sub oldest_day
{
	return sql($node, q{SELECT min(rpad(substring(inhrelid::regclass::text FROM '\d+'), 8, '01')::date - '1970-01-01'::date) FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass});
}

# The oldest day goes for its size. Its spans of today only are sure to stay.
sub shrink
{
	my $size = sql($node, q{SELECT sum(pg_total_relation_size(inhrelid))::bigint / 1024 FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass});

	$kept_from = $today;
	set("tempo.max_size = '" . ($size - 100) . "kB'");
	wait_until('the oldest day to go for its size', sub { sql($node, q{SELECT bytes FROM tempo.status WHERE worker = 'maintenance'}) > 0 }, 120);
	set('tempo.max_size = 0');
	return;
}

sub in_background
{
	my ($statement) = @_;
	my $pid = fork // die "fork: $!";

	return if $pid;
	open STDOUT, '>', '/dev/null' or die;
	open STDERR, '>', '/dev/null' or die;
	exec 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement or die;
}

sub check_both
{
	for my $server ($node, $standby)
	{
		my $problems = sql($server, 'SELECT * FROM tempo_check()');

		$wrong++ if $problems ne '';
		fail("tempo_check: $problems") if $problems ne '';
	}
	return;
}

# ---- the run

my @plan = (
	undef,
	sub { set("tempo.merge_days_after = '5s'") },
	sub { retain(9) },
	sub { open_old() },
	sub { retain(7) },
	undef,
	sub { close_old() },
	sub { wait_until('what the old transaction held up', sub { oldest_day() >= $kept_from }, 120) },
	sub { retain(5) },
	sub { shrink() },
	undef,
	undef);
my $next_gauge = 0;

say(Gauge::head());
for my $part (0 .. 11)
{
	my $end = $began + ($part + 1) * $twelfth;
	my $killed = $part == 0;
	my $kill_at = $began + ($part + 0.5 + rand 0.3) * $twelfth;

	$plan[$part]->() if $plan[$part];
	in_background('VACUUM (ANALYZE) tempo.spans');
	while (time < $end)
	{
		for ([ $node, 'primary' ], [ $standby, 'standby' ])
		{
			minute_in_sql(@$_);
			one_trace(@$_);
			minutes_in_traceql(@$_);
		}
		if (elapsed() >= $next_gauge)
		{
			by_day(@$_) for [ $node, 'primary' ], [ $standby, 'standby' ];
			ask_old() if $old;
			$ledger->read;
			say($gauge->take(elapsed(), acknowledged => $ledger->{count}{a} * Ledger::SPANS));
			$next_gauge += $minutes / 24;
		}
		if (!$killed && time > $kill_at)
		{
			kill_something();
			$killed = 1;
		}
		1 while waitpid(-1, 1) > 0 && @pids;
		sleep 1;
	}
	check_both();
	pass(sprintf 'part %d of 12: %d answers, %d wrong, %d kills', $part + 1, $queries, $wrong, $kills);
}

# ---- the end

stop_senders();
$ledger->read;
sleep 2;
is($wrong, 0, "$queries answers were right");
like(slurp_file($node->logfile), qr/took the place of \d+ partitions/, 'days became months');
is(join("\n", $gauge->unsteady), '', 'memory and files are steady');
my $oldest = oldest_day();
$kept_from = $oldest if $oldest > $kept_from;
by_day($node, 'primary at the end');
sql($node, 'SELECT tempo_merge()');
sql($node, 'VACUUM ANALYZE');
by_day($node, 'primary when all is merged');

$ledger->write_table("$dir/ledger");
system('psql', '-Xq', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1',
	'-c', 'CREATE TABLE ledger (sender integer, request bigint, second bigint, retried integer, state text)', '-c', "\\copy ledger FROM '$dir/ledger'") == 0
  or die 'psql fails';
sql($node, <<'SQL');
CREATE TABLE stored AS
SELECT ((span_id::bigint >> 48) - 1)::integer AS sender, (span_id::bigint >> 16) & 4294967295 AS request, count(*) AS spans,
       count(DISTINCT span_id) AS ids, count(DISTINCT (trace_id, service)) AS traces,
       bool_and((attributes ->> 'request')::bigint = (span_id::bigint >> 16) & 4294967295 AND name = 'operation ' || ((span_id::bigint & 65535) - 1) % 7) AS right
  FROM tempo.spans GROUP BY 1, 2
SQL
is(sql($node, "SELECT count(*) FROM ledger LEFT JOIN stored USING (sender, request) WHERE state = 'a' AND second >= $kept_from * 86400::bigint AND spans IS NULL"),
	0, 'every acknowledged request of the days kept is there');
is(sql($node, "SELECT count(*) FROM ledger RIGHT JOIN stored USING (sender, request) WHERE state IS NULL OR state = 'r' OR ids <> 50 OR spans <> 50 AND NOT (retried = 1 AND spans = 100) OR traces <> 1 OR NOT stored.right"),
	0, 'every request that is there is there whole, once, and right');
up_to_date($standby);
is(sql($standby, 'SELECT count(*), sum(duration_ns) FROM tempo.spans'), sql($node, 'SELECT count(*), sum(duration_ns) FROM tempo.spans'), 'the standby has the same');
check_both();
my ($spans, $bytes) = split /\|/, sql($node, q{SELECT sum(segment_rows), sum(total_bytes) FROM tempo.storage});
my %count = %{ $ledger->{count} };

print "$_\n" for map { "# $_" } split /\n/, $gauge->table;
finish($node, crashed => 1);
$standby->stop;
append_to_file("$ENV{TESTDIR}/soak.txt", sprintf "%.0f minutes at %d spans a second: %d spans acknowledged, %d rejected, %d without an answer, %d sent twice; %d answers checked, %d wrong; %d kills; %d spans kept in %.1f MB, %.1f bytes each\n",
	elapsed(), $rate, map({ $_ * Ledger::SPANS } @count{qw(a r u retried)}), $queries, $wrong, $kills, $spans, $bytes / 2**20, $bytes / $spans);
done_testing();
