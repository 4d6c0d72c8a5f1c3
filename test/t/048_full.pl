# Files that cannot grow, as on a full disk: what cannot be stored is not acknowledged, the server stays up, says why, and
# goes on when there is room again.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep);

my $node = tempo_node('full', conf => <<'CONF');
tempo.merge_delay = '1s'
tempo.merge_interval = '50ms'
tempo.segment_rows = 1000
CONF

# Spans whose text does not compress, so that files fill.
my $number = 0;
sub request
{
	my ($n) = @_;
	my @spans = map { sprintf '{"traceId":"%032x","spanId":"%016x","name":"n","startTimeUnixNano":"1700006400000000000","endTimeUnixNano":"1700006400000000001","attributes":[{"key":"noise","value":{"stringValue":"%s"}}]}',
		  ++$number, $number, join '', map { sprintf '%08x', rand 2**32 } 1 .. 500 } 1 .. $n;

	return '{"resourceSpans":[{"scopeSpans":[{"spans":[' . join(',', @spans) . ']}]}]}';
}

sub post { return otlp_post($node, request(100), type => 'application/json') }

is(post()->{status}, 200, 'there is room');
# RLIMIT_FSIZE of 24 MB in the postmaster and so in what it starts: more than a WAL file, less than what follows.
$node->stop;
{
	local $ENV{TEMPO_START} = join ' ', 'ulimit -f 24576; exec pg_ctl -w -D', $node->data_dir, '-l', $node->logfile, 'start';
	system('bash', '-c', 'eval "$TEMPO_START" >/dev/null') == 0 or die 'start fails';
}
$node->_update_pid(1);
wait_for_port($node->{tempo_port}{otlp});

my ($taken, $refused, $last) = (100, 0);
for (1 .. 400)
{
	my $r = post();
	if ($r->{status} == 200) { $taken += 100; next }
	$refused++;
	$last = $r;
	last if $refused == 5;
	sleep 0.2;
}
is($refused, 5, 'files are full');
is($last->{status}, 503, 'which is answered 503');
like($last->{content}, qr/could not (?:extend|write)/, 'and why');
is(sql($node, 'SELECT count(*) FROM tempo.spans'), $taken, 'what was acknowledged is there and nothing else');
is(sql($node, 'SELECT count(DISTINCT span_id) FROM tempo.spans'), $taken, 'each once');
like(sql($node, "SELECT last_error FROM tempo.status WHERE worker = 'receiver' AND last_error <> ''"), qr/could not/, 'tempo.status says it');
$node->restart;
wait_for_port($node->{tempo_port}{otlp});
is(post()->{status}, 200, 'there is room again');
is(sql($node, 'SELECT count(*) FROM tempo.spans'), $taken + 100, 'and it is used');
sql($node, 'SELECT tempo_merge()');
is(sql($node, 'SELECT count(DISTINCT span_id) FROM tempo.spans'), $taken + 100, 'merged');
finish($node);
done_testing();
