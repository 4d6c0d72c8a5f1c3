# Lossless: is what can be read what was sent? What was sent is told by the Python programs of test/lib, which share
# nothing with our readers; they leave it in a file as lines of COPY.
#
#   otlp_helper('lossless.py', 'send', ...);           # its TAP lines are tests of ours
#   spans_equal($node, "$dir/expected", 'merged');     # every column of tempo.spans
#   traces_equal($node, "$dir/expected", 'merged', '*');    # every trace over HTTP, of the tenants given
package Lossless;
use strict;
use warnings;
use Exporter 'import';
use FindBin;
use Test::More;

our @EXPORT = qw(otlp_helper spans_equal traces_equal);

my $lib = "$FindBin::Bin/../lib";
$ENV{PYTHONDONTWRITEBYTECODE} = 1;

# Spans as test/lib/otlp.py prints them.
my $copy = <<'SQL';
COPY (SELECT tenant, trace_id, span_id, parent_span_id, name, kind, status, status_message,
             (extract(epoch FROM start_time) * 1000000000 + start_ns)::numeric(20, 0), duration_ns, service,
             attributes, resource_attributes, scope_attributes, scope_name, scope_version, trace_state, events, links, flags,
             dropped_attributes_count, dropped_events_count, dropped_links_count, resource_dropped_attributes_count,
             scope_dropped_attributes_count, resource_schema_url, scope_schema_url
        FROM tempo.spans) TO STDOUT
SQL

# Runs a program of test/lib, which prints "ok - name", "not ok - name" and remarks. True when it succeeds; what it
# remarked otherwise is shown.
sub otlp_helper
{
	my ($program, @args) = @_;
	my @remarks;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	open my $out, '-|', 'python3', "$lib/$program", @args or die "python3: $!";
	while (my $line = <$out>)
	{
		chomp $line;
		if ($line =~ /^(not )?ok - (.*)/) { ok(!$1, $2) }
		else { push @remarks, $line }
	}
	my $good = close $out;
	$good ? note($_) : diag($_) for @remarks;
	return $good;
}

# Options: set (settings of the session), dbname.
sub spans_equal
{
	my ($node, $expected, $when, %opt) = @_;
	my @set = map { ('-c', "SET $_") } @{ $opt{set} // [] };

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	system('psql', '-XAtq', '-d', $node->connstr($opt{dbname} // 'postgres'), @set, '-c', $copy, '-o', "$expected.actual") == 0
	  or return fail("$when: reading fails");
	return ok(otlp_helper('lossless.py', 'compare', $expected, "$expected.actual"),
		"$when: every field of every span is what was sent");
}

sub traces_equal
{
	my ($node, $expected, $when, @tenants) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(otlp_helper('lossless.py', 'traces', $expected, $node->{tempo_port}{http}, @tenants),
		"$when: every trace over HTTP, in protobuf and JSON, is what was sent");
}

1;
