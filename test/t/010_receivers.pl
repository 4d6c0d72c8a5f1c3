# OTLP over HTTP: what is taken, what is refused and how, and that the worker behaves as a PostgreSQL
# process: reloads, crashes, fast stops, other people's DROP DATABASE.
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

my $node = tempo_node('receivers', conf => "tempo.max_request_bytes = '1MB'\nlog_min_messages = info\nrestart_after_crash = on\n");
my $port = $node->{tempo_port}{otlp};
my $base = "http://127.0.0.1:$port";
my $http = HTTP::Tiny->new(timeout => 30);
my $pb = 'application/x-protobuf';

sub post
{
	my ($path, $type, $body, %headers) = @_;
	my %all = (defined $type ? ('Content-Type' => $type) : (), %headers);

	return $http->request(POST => "$base$path", { headers => \%all, content => $body });
}

sub spans { return sql($node, 'SELECT count(*) FROM tempo.spans' . ($_[0] ? " WHERE $_[0]" : '')); }
sub total { return sql($node, "SELECT sum($_[0]) FROM tempo.status WHERE worker = 'receiver'"); }

# ---- taken ----

my $r = post('/v1/traces', $pb, otlp_request(spans => 3, service => 'plain'));
is("$r->{status} $r->{headers}{'content-type'} [$r->{content}]", "200 $pb []", 'protobuf: full success is empty');
is(spans("service = 'plain'"), 3, 'the spans are there when the answer is');

my $json = encode_json({ resourceSpans => [ {
	resource => { attributes => [ { key => 'service.name', value => { stringValue => 'json' } } ] },
	scopeSpans => [ { spans => [ { traceId => '0af7651916cd43dd8448eb211c80319c', spanId => 'b7ad6b7169203331', name => 'x',
		startTimeUnixNano => int(time) . '000000000', endTimeUnixNano => int(time) . '000001000' } ] } ] } ] });
$r = post('/v1/traces', 'application/json; charset=utf-8', $json);
is("$r->{status} $r->{headers}{'content-type'}", '200 application/json', 'JSON, with a parameter in its type');
is_deeply(decode_json($r->{content}), { partialSuccess => {} }, 'JSON: full success');
is(spans("service = 'json' AND trace_id = '0af7651916cd43dd8448eb211c80319c'"), 1, 'its span is there');

is(post('/v1/traces', $pb, '')->{status}, 200, 'an empty request is a success');
for my $case ([ gzip => Compress::Zlib::memGzip(otlp_request(service => 'gzip')) ],
	[ deflate => Compress::Zlib::compress(otlp_request(service => 'deflate')) ],
	[ identity => otlp_request(service => 'identity') ])
{
	is(post('/v1/traces', $pb, $case->[1], 'Content-Encoding' => $case->[0])->{status}, 200, "Content-Encoding $case->[0]");
	is(spans("service = '$case->[0]'"), 1, "$case->[0] is stored");
}
my $zstd = PostgreSQL::Test::Utils::tempdir() . '/z';
PostgreSQL::Test::Utils::append_to_file($zstd, otlp_request(service => 'zstd'));
system('zstd', '-q', $zstd) == 0 or die 'zstd fails';
is(post('/v1/traces', $pb, slurp_file("$zstd.zst"), 'Content-Encoding' => 'zstd')->{status}, 200, 'Content-Encoding zstd');
is(spans("service = 'zstd'"), 1, 'zstd is stored');
is(post('/v1/traces', $pb, otlp_request(spans => 3000))->{status}, 200, 'a large body');

is(post('/v1/traces', $pb, otlp_request(service => 'theirs'), 'X-Scope-OrgID' => "team-a!(1)'*_.b")->{status}, 200, 'a tenant');
is(spans("service = 'theirs' AND tenant = 'team-a!(1)''*_.b'"), 1, 'is kept');
is(spans("service = 'plain' AND tenant = 'single-tenant'"), 3, 'without one it is single-tenant');

# ---- refused ----

$r = post('/v1/traces', $pb, "\x0a\xff");
is("$r->{status} $r->{headers}{'content-type'}", "400 $pb", 'malformed protobuf');
is(pb_status($r->{content})->{code}, 3, 'a Status in protobuf: INVALID_ARGUMENT');
isnt(pb_status($r->{content})->{message}, '', 'that says what is wrong');
$r = post('/v1/traces', 'application/json', '{"resourceSpans": [');
is("$r->{status} $r->{headers}{'content-type'}", '400 application/json', 'malformed JSON');
is(decode_json($r->{content})->{code}, 3, 'a Status in JSON');
$r = post('/v1/traces', $pb, otlp_request(trace_id => 'short'));
is($r->{status}, 400, 'a trace id of five bytes');
like(pb_status($r->{content})->{message}, qr/trace_id/, 'is named');

$r = post('/v1/traces', 'text/plain', 'x');
is("$r->{status} $r->{headers}{'content-type'}", '415 text/plain; charset=utf-8', 'another type');
is(post('/v1/traces', undef, 'x')->{status}, 415, 'no type');
$r = $http->get("$base/v1/traces");
is("$r->{status} $r->{headers}{allow}", '405 POST', 'another method');
for my $path (qw(/v1/metrics /v1/logs))
{
	$r = post($path, 'application/json', '{}');
	is($r->{status}, 404, "$path is not served");
	like(decode_json($r->{content})->{message}, qr/only traces/, 'and says so');
}
is(post('/', $pb, '')->{status}, 404, 'another path');
is(post('/v1/traces', $pb, 'x', 'Content-Encoding' => 'br')->{status}, 400, 'an encoding we do not have');
is(post('/v1/traces', $pb, 'x', 'Content-Encoding' => 'gzip')->{status}, 400, 'gzip that is not');
is(post('/v1/traces', $pb, otlp_request(), 'X-Scope-OrgID' => 'a|b')->{status}, 400, 'two tenants');
is(post('/v1/traces', $pb, 'x' x (1024 * 1024 + 1))->{status}, 413, 'one byte too many');
is(post('/v1/traces', $pb, 'x' x (5 * 1024 * 1024))->{status}, 413, 'far too many');
my $bomb = Compress::Zlib::memGzip("\0" x (100 * 1024 * 1024));
is(post('/v1/traces', $pb, $bomb, 'Content-Encoding' => 'gzip')->{status}, 413, 'a small body that inflates to 100 MB');
is(total('requests') > total('refused') && total('refused') > 10, 1, 'tempo.status counts both');

# Spans of the future are refused one by one.
$r = post('/v1/traces', 'application/json', $json =~ s/(startTimeUnixNano":")\d{10}/${1}4000000000/r);
is($r->{status}, 200, 'a span of the year 2096');
is(decode_json($r->{content})->{partialSuccess}{rejectedSpans}, '1', 'is rejected by partial success');
$r = post('/v1/traces', $pb, otlp_request(start => 4_000_000_000_000_000_000, spans => 2));
my %partial = map { @$_ } pb_fields({ map { @$_ } pb_fields($r->{content}) }->{1});
is($partial{1}, 2, 'the same in protobuf');
isnt($partial{2}, '', 'with a reason');
is(total('rejected_spans'), 3, 'tempo.status counts them');

# ---- connections ----

sub connection
{
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or die $!;
	return $s;
}

sub http_post_bytes
{
	my ($body, @headers) = @_;

	return join("\r\n", 'POST /v1/traces HTTP/1.1', 'Host: x', "Content-Type: $pb", @headers, 'Content-Length: ' . length $body, '', '') . $body;
}

sub read_status
{
	my ($s) = @_;
	my ($status, $length);

	while (defined(my $line = <$s>))
	{
		$status //= (split ' ', $line)[1];
		$length = $1 if $line =~ /^Content-Length: (\d+)/i;
		last if $line eq "\r\n";
	}
	read $s, my $body, $length if $length;
	return $status // 'closed';
}

my $before = spans();
my $s = connection();
print $s http_post_bytes(otlp_request()) x 1 for 1 .. 3;
is(join(' ', map { read_status($s) } 1 .. 3), '200 200 200', 'three requests in a row without waiting');
print $s http_post_bytes("\x0a\xff") . http_post_bytes(otlp_request());
is(join(' ', map { read_status($s) } 1 .. 2), '400 200', 'a bad one does not end the connection');
is(spans(), $before + 4, 'the good ones are stored');

# Slow and broken clients, while a good one works.
my $half = connection();
print $half "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: $pb\r\nContent-Length: 1000\r\n\r\nabc";
my $gone = connection();
print $gone http_post_bytes(otlp_request(service => 'gone'));
close $gone;
my @garbage = ("\0\xff\0\xff\r\n\r\n", "GET\r\n\r\n", "POST /v1/traces HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
	"POST /v1/traces HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"POST /v1/traces HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 'A' x 300000);
my @broken = map { my $c = connection(); local $SIG{PIPE} = 'IGNORE'; print $c $_; $c->flush; $c } @garbage;
is(post('/v1/traces', $pb, otlp_request(service => 'beside'))->{status}, 200, 'a good request beside broken ones');
close $_ for $half, @broken;

$s = connection();
print $s "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: $pb\r\nTransfer-Encoding: chunked\r\n\r\n";
my $body = otlp_request(service => 'chunked');
print $s sprintf("%x\r\n%s\r\n", length $_, $_) for $body =~ /(.{1,20})/gs;
print $s "0\r\n\r\n";
is(read_status($s), 200, 'a chunked body');
is(spans("service = 'chunked'"), 1, 'is stored');

# ---- many at once: a bad one takes no other with it ----

my @pids;
for my $client (1 .. 6)
{
	my $pid = fork // die;
	if (!$pid)
	{
		my $bad = 0;
		my $c = HTTP::Tiny->new(timeout => 60);
		for my $i (1 .. 30)
		{
			my $want = $client == 1 ? 400 : 200;
			my $bytes = $client == 1 ? "\x0a\x05abc" : otlp_request(spans => 5, service => "many $client",
				$client == 2 ? (start => 4_000_000_000_000_000_000) : ());
			$bad++ if $c->post("$base/v1/traces", { headers => { 'Content-Type' => $pb }, content => $bytes })->{status} != $want;
		}
		require POSIX;
		POSIX::_exit($bad ? 1 : 0);
	}
	push @pids, $pid;
}
my $failed = 0;
for (@pids) { waitpid $_, 0; $failed++ if $? }
is($failed, 0, 'every one of 6 clients got the answers it should');
is(spans("service LIKE 'many%'"), 4 * 30 * 5, 'and the spans of the good ones are there, once');

# ---- the database is not there for a while ----

my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE tempo.spans IN ACCESS EXCLUSIVE MODE');
$r = post('/v1/traces', $pb, otlp_request(service => 'locked'));
is($r->{status}, 503, 'a table that stays locked: 503');
is($r->{headers}{'retry-after'}, 1, 'to be retried');
is(pb_status($r->{content})->{code}, 14, 'UNAVAILABLE');
like(sql($node, "SELECT string_agg(last_error, ' ') FROM tempo.status WHERE worker = 'receiver'"), qr/lock timeout/, 'tempo.status says why');
$locker->query_safe('COMMIT');
$locker->quit;
wait_until('stored again', sub { post('/v1/traces', $pb, otlp_request(service => 'unlocked'))->{status} == 200 }, 20);
is(spans("service = 'locked'"), 0, 'what was refused is not stored');

# ---- PostgreSQL's ways ----

my $t = time;
sql($node, 'CREATE DATABASE other');
sql($node, 'DROP DATABASE other');
cmp_ok(time - $t, '<', 3, 'DROP DATABASE elsewhere does not wait for receivers');

# Each receiver has a socket of its own: ask until both kinds of connection have been seen.
my @kept = map { connection() } 1 .. 8;
print $_ http_post_bytes(otlp_request(service => 'kept')) for @kept;
is(join(' ', map { read_status($_) } @kept), join(' ', (200) x 8), 'eight connections');
$node->append_conf('postgresql.conf', "tempo.max_request_bytes = '2MB'");
$node->reload;
wait_until('reload', sub { post('/v1/traces', $pb, otlp_request(pad => 1500 * 1024))->{status} == 200 }, 10);
print $_ http_post_bytes(otlp_request(service => 'kept')) for @kept;
is(join(' ', map { read_status($_) } @kept), join(' ', (200) x 8), 'connections outlive a reload');

my $new = PostgreSQL::Test::Cluster::get_free_port();
$node->append_conf('postgresql.conf', "tempo.otlp_http_port = $new\ntempo.receivers = 3");
$node->reload;
wait_for_port($new);
print $_ http_post_bytes(otlp_request(service => 'kept')) for @kept;
is(join(' ', map { read_status($_) } @kept), join(' ', (200) x 8), 'and a change of port');
ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port), 'the old port is closed');
($port, $base) = ($new, "http://127.0.0.1:$new");
wait_until('a third receiver', sub { sql($node, "SELECT count(*) FROM tempo.status WHERE worker = 'receiver' AND listeners LIKE '%:$new%'") == 3 }, 10);

# Stop and start by hand; another database may then be made from this one.
sql($node, 'SELECT tempo.stop_workers()');
is(sql($node, "SELECT count(*) FROM tempo.status WHERE worker <> 'launcher' AND state <> 'stopped'"), 0, 'tempo.stop_workers() waits for them');
sql($node, 'CREATE DATABASE copy TEMPLATE postgres', dbname => 'template1');
ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port), 'nobody listens');
sql($node, 'SELECT tempo.start_workers()');
wait_for_port($port);
is(post('/v1/traces', $pb, otlp_request(service => 'started'))->{status}, 200, 'tempo.start_workers() brings them back');

# SIGKILL of a receiver restarts the server; what was acknowledged is there, and receivers come back.
my $acknowledged = spans();
my $pid = sql($node, "SELECT pid FROM tempo.status WHERE worker = 'receiver' AND state = 'running' LIMIT 1");
kill KILL => $pid;
wait_until('back after SIGKILL', sub { eval { sql($node, "SELECT count(*) FROM tempo.status WHERE pid = $pid") eq '0' } }, 30);
wait_until('stored after SIGKILL', sub { post('/v1/traces', $pb, otlp_request(service => 'after crash'))->{status} == 200 }, 30);
is(spans("service <> 'after crash'"), $acknowledged, 'nothing acknowledged is lost in a crash');

# A role that may only insert.
sql($node, "CREATE ROLE writer LOGIN");
sql($node, "GRANT INSERT ON tempo.spans TO writer");
$node->append_conf('postgresql.conf', "tempo.ingest_role = writer");
$node->reload;
wait_until('receivers as writer', sub { sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'tempo receiver' AND usename = 'writer'") == 3 }, 15);
wait_for_port($port);
is(post('/v1/traces', $pb, otlp_request(service => 'by writer'))->{status}, 200, 'stored as tempo.ingest_role');
sql($node, "REVOKE INSERT ON tempo.spans FROM writer");
is(post('/v1/traces', $pb, otlp_request(service => 'by writer'))->{status}, 403, 'and only with its rights');
is(spans("service = 'by writer'"), 1, 'the second is not there');
sql($node, "GRANT INSERT ON tempo.spans TO writer");

check_clean($node);
$t = time;
$node->stop('fast');
cmp_ok(time - $t, '<', 2, 'a fast stop with receivers and connections takes less than two seconds');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal (?!9)|TRAP:/, 'no process crashed by itself');
done_testing();
