# The query server: what it answers itself, executors that die, hang and are cancelled, many clients, a
# standby.
use strict;
use warnings;
use Compress::Zlib ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP;
use OtlpWire;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = tempo_node('query', allows_streaming => 1,
	conf => "tempo.query_executors = 2\ntempo.query_queue = 3\nrestart_after_crash = on\n");
my $port = $node->{tempo_port}{http};
my $search = '/api/search?q=%7B%7D&limit=5&start=' . int(time - 3600) . '&end=' . int(time + 60);

is(otlp_post($node, otlp_request(service => 'asked', spans => 3))->{status}, 200, 'something to ask for');

# ---- answers ----

wait_until('/ready', sub { api_get($node, '/ready')->{status} == 200 });
my $r = api_get($node, '/ready');
is("$r->{status} $r->{content}", "200 ready\n", '/ready');
$r = api_get($node, '/api/echo');
is("$r->{status} $r->{content} $r->{headers}{'content-type'}", "200 echo\n text/plain; charset=utf-8", '/api/echo');
$r = api_get($node, '/api/status/buildinfo');
is("$r->{status} $r->{headers}{'content-type'}", '200 application/json', '/api/status/buildinfo');
ok(decode_json($r->{content})->{version}, 'has a version');
$r = api_get($node, '/api/nothing');
is($r->{status}, 404, 'an unknown route');
like($r->{headers}{'content-type'}, qr{^text/plain}, 'is answered in plain text');
$r = api_get($node, $search);
is($r->{status}, 200, 'a search') or diag $r->{content};
is(scalar @{ decode_json($r->{content})->{traces} }, 3, 'finds the traces');
is(api_get($node, '/api/search?q=%7B')->{status}, 400, 'a query that does not parse');

# Large answers are compressed for those who ask.
is(otlp_post($node, otlp_request(service => 'big', spans => 2000, trace_id => 'T' x 16, pad => 3000))->{status}, 200, 'a large trace');
my $trace = '/api/traces/' . unpack 'H*', 'T' x 16;
my $plain = api_get($node, $trace);
is($plain->{status}, 200, 'is answered');
cmp_ok(length $plain->{content}, '>', 6_000_000, 'whole') or diag substr $plain->{content}, 0, 200;
my $zipped = api_get($node, $trace, 'Accept-Encoding' => 'gzip');
is($zipped->{headers}{'content-encoding'}, 'gzip', 'gzip');
ok(Compress::Zlib::memGunzip($zipped->{content}) eq $plain->{content}, 'the same when inflated');
$r = api_get($node, '/api/echo', 'Accept-Encoding' => 'gzip');
ok(!$r->{headers}{'content-encoding'}, 'small answers are not compressed');
is(HTTP::Tiny->new->post("http://127.0.0.1:$port/api/echo", { content => 'x' x 2_000_000 })->{status}, 413, 'a body over the limit');

# ---- slow queries: a lock stands for one ----

sub ask
{
	my ($path, $timeout) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or die $!;

	print $s "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	$s->flush;
	return $s;
}

sub status_of { my ($s) = @_; my $line = <$s> // ''; return (split ' ', $line)[1] // 'closed'; }
sub busy { return sql($node, "SELECT count(*) FROM tempo.status WHERE worker = 'query executor' AND state = 'busy'"); }

my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE tempo.spans IN ACCESS EXCLUSIVE MODE');
my @slow = map { ask($search) } 1 .. 2;
wait_until('two busy executors', sub { busy() == 2 }, 10);
my $t = time;
is(api_get($node, '/api/echo')->{status}, 200, '/api/echo while every executor is busy');
is(api_get($node, '/ready')->{status}, 200, '/ready too');
cmp_ok(time - $t, '<', 1, 'at once');
my @queued = map { my $s = ask('/api/status/buildinfo'); sleep 0.05; $s } 1 .. 3;
is(status_of(ask('/api/status/buildinfo')), 429, 'a queue that is full');

# Clients that go away: their queries are cancelled, those that wait are forgotten.
close $queued[2];
close $slow[0];
is(status_of($queued[0]), 200, 'an executor is free when its client has left');
is(status_of($queued[1]), 200, 'for the next one, too');
is(busy(), 1, 'the other goes on');

# An executor that is told to stop while it works.
my $pid = sql($node, "SELECT pid FROM tempo.status WHERE worker = 'query executor' AND state = 'busy'");
sql($node, "SELECT pg_terminate_backend($pid)");
is(status_of($slow[1]), 503, 'an executor that ends leaves a 503');
wait_until('a new executor', sub { sql($node, "SELECT count(*) FROM tempo.status WHERE worker = 'query executor' AND pid <> $pid AND state = 'running'") == 2 }, 20);
is(api_get($node, '/api/status/buildinfo')->{status}, 200, 'and another takes its place') for 1 .. 4;

# Cancelled by an administrator, and by the time limit.
my $cancelled = ask($search);
wait_until('a busy executor', sub { busy() == 1 }, 10);
sql($node, "SELECT pg_cancel_backend(pid) FROM tempo.status WHERE worker = 'query executor' AND state = 'busy'");
is(status_of($cancelled), 504, 'pg_cancel_backend ends a request');
$node->append_conf('postgresql.conf', "tempo.query_timeout = '300ms'");
$node->reload;
wait_until('the time limit', sub { my $s = ask($search); my $began = time; status_of($s) eq '504' && time - $began < 3 }, 30);
pass('tempo.query_timeout ends requests');
$node->append_conf('postgresql.conf', "tempo.query_timeout = '60s'");
$node->reload;
$locker->query_safe('COMMIT');
$locker->quit;
wait_until('searches again', sub { api_get($node, $search)->{status} == 200 }, 20);

# Clients that leave in the middle of a large answer do no harm.
for (1 .. 5)
{
	my $s = ask($trace);
	read $s, my $some, 1000;
	close $s;
}
is(api_get($node, $trace)->{status}, 200, 'after clients that left in the middle of an answer');
wait_until('idle', sub { busy() == 0 }, 20);

# ---- many clients ----

$node->append_conf('postgresql.conf', "tempo.query_queue = 1000");
$node->reload;
sleep 0.5;
my @pids;
for my $client (1 .. 8)
{
	my $child = fork // die;
	if (!$child)
	{
		my $c = HTTP::Tiny->new(timeout => 60);
		my $bad = grep { $c->get("http://127.0.0.1:$port" . ($_ % 2 ? '/api/status/buildinfo' : $search))->{status} != 200 } 1 .. 50;
		require POSIX;
		POSIX::_exit($bad ? 1 : 0);
	}
	push @pids, $child;
}
my $failed = 0;
for (@pids) { waitpid $_, 0; $failed++ if $? }
is($failed, 0, 'eight clients with fifty requests each');
cmp_ok(sql($node, "SELECT sum(requests) FROM tempo.status WHERE worker = 'query executor'"), '>=', 400, 'tempo.status counts them');

# ---- the workers as PostgreSQL processes ----

$pid = sql($node, "SELECT pid FROM tempo.status WHERE worker = 'query server'");
sql($node, "SELECT pg_terminate_backend($pid)");
wait_until('a new query server', sub { sql($node, "SELECT pid <> $pid FROM tempo.status WHERE worker = 'query server'") eq 't' && api_get($node, '/ready')->{status} == 200 }, 20);
is(api_get($node, $search)->{status}, 200, 'executors find the new query server') for 1 .. 4;

$pid = sql($node, "SELECT pid FROM tempo.status WHERE worker = 'query executor' LIMIT 1");
kill KILL => $pid;
wait_until('back after SIGKILL', sub { eval { sql($node, "SELECT count(*) FROM tempo.status WHERE pid = $pid") eq '0' } }, 30);
wait_until('answers after SIGKILL', sub { api_get($node, $search)->{status} == 200 }, 30);
pass('an executor killed: everything comes back');

# A role that may read nothing.
sql($node, 'CREATE ROLE asker LOGIN');
$node->append_conf('postgresql.conf', "tempo.query_role = asker");
$node->reload;
wait_until('executors as asker', sub { sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'tempo query executor' AND usename = 'asker'") == 2 }, 20);
wait_until('/ready', sub { api_get($node, '/ready')->{status} == 200 });
is(api_get($node, $search)->{status}, 403, 'tempo.query_role without rights');
sql($node, 'GRANT SELECT ON tempo.spans TO asker');
is(api_get($node, $search)->{status}, 200, 'and with them');

# ---- a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
tempo_ports($standby);
$standby->start;
wait_until('a standby that answers', sub { api_get($standby, '/ready')->{status} == 200 }, 30);
$node->wait_for_catchup($standby);
$r = api_get($standby, $search);
is($r->{status}, 200, 'a search on a standby') or diag $r->{content};
cmp_ok(scalar @{ decode_json($r->{content})->{traces} }, '>=', 3, 'finds the same');
is(sql($standby, "SELECT count(*) FROM tempo.status WHERE worker IN ('receiver', 'merger') AND pid IS NOT NULL"), 0, 'nothing receives on a standby');
$standby->promote;
wait_for_port($standby->{tempo_port}{otlp});
is(otlp_post($standby, otlp_request(service => 'promoted'))->{status}, 200, 'after promotion it receives');
$standby->stop('fast');

finish($node, crashed => 1);
done_testing();
