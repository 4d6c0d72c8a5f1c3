# OTLP over gRPC: calls and their status, compression, flow control, broken frames, shutdown.
use strict;
use warnings;
use Compress::Zlib ();
use Http2;
use IO::Socket::INET;
use OtlpWire;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = tempo_node('grpc', conf => "tempo.grpc_max_message_bytes = '4MB'\ntempo.receivers = 1\n");
my $port = $node->{tempo_port}{grpc};
my $path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

sub message { my ($bytes, $flag) = @_; return pack('CN', $flag // 0, length $bytes) . $bytes; }

sub export
{
	my ($c, $bytes, @headers) = @_;
	return $c->response($c->grpc($path, message($bytes), @headers));
}

sub outcome { my ($r) = @_; return join ' ', map { $_ // '-' } @$r{qw(status grpc_status)}; }
sub spans { return sql($node, "SELECT count(*) FROM tempo.spans WHERE service = '$_[0]'"); }
sub refused { my ($r, $code, $like, $name) = @_; like(outcome($r) . " $r->{grpc_message}", qr/^200 $code .*$like/, $name); }

# ---- calls ----

my $c = Http2->new($port);
my $r = export($c, otlp_request(service => 'plain', spans => 3));
is(outcome($r), '200 0', 'a call');
is($r->{headers}{'content-type'}, 'application/grpc', 'its content type');
is($r->{body}, message(''), 'its message is empty');
is(spans('plain'), 3, 'its spans are there');
is(outcome(export($c, '')), '200 0', 'an empty request');
is(outcome(export($c, otlp_request(service => 'theirs'), [ 'x-scope-orgid', 'them' ])), '200 0', 'with a tenant');
is(sql($node, "SELECT tenant FROM tempo.spans WHERE service = 'theirs'"), 'them', 'which is kept');
is(outcome(export($c, otlp_request(), [ 'grpc-timeout', $_ ])), '200 0', "grpc-timeout $_") for qw(9969m 10S 4999953u 1H);

for my $case ([ gzip => Compress::Zlib::memGzip(otlp_request(service => 'gzip')) ], [ deflate => Compress::Zlib::compress(otlp_request(service => 'deflate')) ])
{
	$r = $c->response($c->grpc($path, message($case->[1], 1), [ 'grpc-encoding', $case->[0] ]));
	is(outcome($r), '200 0', "grpc-encoding $case->[0]");
	is(spans($case->[0]), 1, "$case->[0] is stored");
}
is(outcome($c->response($c->grpc($path, message(otlp_request(), 0), [ 'grpc-encoding', 'gzip' ]))), '200 0', 'a plain message under grpc-encoding gzip');

my @ids = map { $c->grpc($path, message(otlp_request(service => 'many', spans => 10))) } 1 .. 50;
is(scalar(grep { outcome($c->response($_)) eq '200 0' } @ids), 50, 'fifty streams at a time');
is(spans('many'), 500, 'all stored');
is(outcome(export($c, otlp_request(service => 'large', spans => 10, pad => 300_000))), '200 0', 'a message larger than the windows');

$r = export($c, otlp_request(start => 4_000_000_000_000_000_000, spans => 2));
my %partial = map { @$_ } pb_fields({ map { @$_ } pb_fields(substr $r->{body}, 5) }->{1});
is(outcome($r) . " $partial{1}", '200 0 2', 'spans of the year 2096 are rejected by partial success');

# ---- refusals: each on the same connection as a good call after it ----

refused(export($c, "\x0a\xff"), 3, '.', 'malformed protobuf');
refused($c->response($c->grpc('/x.Y/Z', message(''))), 12, 'unknown service', 'another method');
refused($c->response($c->grpc($path, message('x', 1), [ 'grpc-encoding', 'snappy' ])), 12, 'grpc-encoding', 'a compression we do not have');
refused($c->response($c->grpc($path, message('not gzip', 1), [ 'grpc-encoding', 'gzip' ])), 3, 'gzip', 'gzip that is not');
refused($c->response($c->grpc($path, message('x', 1))), 3, 'without grpc-encoding', 'compressed with what?');
refused($c->response($c->grpc($path, message('x', 7))), 3, 'flag', 'an unknown flag');
refused($c->response($c->grpc($path, message('') x 2)), 3, 'more than one', 'two messages');
refused($c->response($c->grpc($path, pack('CN', 0, 9) . 'abc')), 3, 'shorter', 'a message cut short');
refused($c->response($c->grpc($path, 'abc')), 3, 'needs one message', 'no message');
refused(export($c, otlp_request(), [ 'x-scope-orgid', 'a|b' ]), 3, 'tenant', 'two tenants');
refused(export($c, otlp_request(), [ 'grpc-timeout', 'soon' ]), 3, 'grpc-timeout', 'a malformed timeout');
$r = export($c, 'x' x (5 * 1024 * 1024));
refused($r, 8, 'larger than', 'a message over the limit');
ok(!$r->{headers}{'grpc-status-details-bin'}, 'which is not worth a retry');
refused($c->response($c->grpc($path, message(Compress::Zlib::memGzip("\0" x 50_000_000), 1), [ 'grpc-encoding', 'gzip' ])), 8, 'inflated', 'a bomb');
$r = $c->response($c->request([ [ ':method', 'POST' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'x' ], [ 'content-type', 'text/plain' ] ], 'x'));
is($r->{status}, 415, 'not gRPC at all') or diag explain $r;
is(outcome(export($c, otlp_request(service => 'after refusals'))), '200 0', 'the connection goes on');

# ---- broken peers ----

sub is_alive { my ($name) = @_; is(outcome(export($c, otlp_request())), '200 0', "$name: others go on"); }

my $bad = Http2->new($port, raw => 1);
$bad->raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
1 while $bad->read_frame(5);
ok($bad->{closed}, 'HTTP/1.1 on this port is cut off');

for my $case ([ 'DATA on stream 0', sub { $_[0]->frame(0, 1, 0, 'x') } ], [ 'a frame beyond the limit', sub { $_[0]->frame(0, 0, 1, 'x' x 20000) } ],
	[ 'HPACK garbage', sub { $_[0]->frame(1, 5, 1, "\xff\xff\xff\xff\xff\xff\xff") } ], [ 'an even stream', sub { $_[0]->frame(1, 5, 2, "\x82") } ],
	[ 'a window overflow', sub { $_[0]->frame(8, 0, 0, pack 'N', 0x7fffffff) } ])
{
	my $b = Http2->new($port);
	$case->[1]->($b);
	1 while $b->pump(5);
	ok($b->{closed}, "$case->[0] ends its connection");
}
is_alive('protocol errors');

my $left = Http2->new($port);
$left->grpc($path, message(otlp_request(service => 'left', pad => 100000)));
close $left->{sock};
my $cut = Http2->new($port);
$cut->send_body($cut->open_stream([ [ ':method', 'POST' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'x' ], [ 'content-type', 'application/grpc' ] ]), pack('CN', 0, 1000) . 'abc', 0);
my $reset = Http2->new($port);
my $id = $reset->open_stream([ [ ':method', 'POST' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'x' ], [ 'content-type', 'application/grpc' ] ]);
$reset->send_body($id, message('x' x 5000), 0);
$reset->frame(3, 0, $id, pack 'N', 8);
is(outcome(export($reset, otlp_request())), '200 0', 'a stream after one that was reset');
is_alive('clients that leave');

$c->frame(6, 0, 0, 'keepaliv');
until ($c->{pong}) { last if !$c->pump(5) }
is($c->{pong}, 'keepaliv', 'PING is answered');

# ---- memory: flow control holds clients back, and all of them get through ----

$node->append_conf('postgresql.conf', "tempo.receiver_memory = '2MB'");
$node->reload;
my $large = message(otlp_request(service => 'held', spans => 7, pad => 500_000));
my @pids;
for my $client (1 .. 12)
{
	my $pid = fork // die;
	if (!$pid)
	{
		# Half of it, so that everybody holds something, then the rest as fast as the server takes it.
		my $slow = Http2->new($port);
		my $id = $slow->open_stream([ [ ':method', 'POST' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'x' ], [ 'content-type', 'application/grpc' ] ]);
		$slow->send_body($id, substr($large, 0, 150_000), 0);
		sleep 1;
		$slow->send_body($id, substr($large, 150_000), 1);
		require POSIX;
		POSIX::_exit(outcome($slow->response($id)) eq '200 0' ? 0 : 1);
	}
	push @pids, $pid;
}
my $lost = 0;
for (@pids) { waitpid $_, 0; $lost++ if $? }
is($lost, 0, 'twelve clients with 42 MB get through a receiver that holds 2 MB');
is(spans('held'), 84, 'everything stored once');
my ($peak) = slurp_file('/proc/' . sql($node, "SELECT pid FROM tempo.status WHERE worker = 'receiver' AND pid IS NOT NULL") . '/status') =~ /RssAnon:\s+(\d+)/;
cmp_ok($peak, '<', 64 * 1024, 'which did not grow by it');

# While nothing can be stored, requests wait; beyond the bound they are refused with RetryInfo.
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE tempo.spans IN ACCESS EXCLUSIVE MODE');
my @crowd = map { Http2->new($port) } 1 .. 12;
my @calls = map { my $i = $_; [ $i, $crowd[ $i % 12 ]->grpc($path, message(otlp_request(service => 'crowd', pad => 200_000))) ] } 0 .. 35;
my %codes;
my $details;
for (@calls)
{
	my ($i, $stream) = @$_;
	$r = $crowd[ $i % 12 ]->response($stream, 60);
	$codes{ $r->{grpc_status} // 'none' }++;
	$details = $r->{headers}{'grpc-status-details-bin'} if ($r->{grpc_status} // -1) == 8;
}
is(join(' ', sort keys %codes), '14 8', 'UNAVAILABLE or RESOURCE_EXHAUSTED, all answered');
require MIME::Base64;
like(MIME::Base64::decode_base64($details // ''), qr/google\.rpc\.RetryInfo/, 'with RetryInfo');
$locker->query_safe('COMMIT');
$locker->quit;
wait_until('stored again', sub { outcome(export($c, otlp_request(service => 'back'))) eq '200 0' }, 20);
is(spans('crowd'), 0, 'nothing of what was refused is stored');

# ---- many connections, and the end ----

my @many = map { Http2->new($port) } 1 .. 200;
@ids = map { $_->grpc($path, message(otlp_request(service => 'connections'))) } @many;
is(scalar(grep { outcome($many[$_]->response($ids[$_])) eq '200 0' } 0 .. $#many), 200, 'two hundred connections');
check_clean($node);
my $t = time;
$node->stop('fast');
cmp_ok(time - $t, '<', 2, 'a fast stop with 200 connections takes less than two seconds');
$many[0]->pump(2) for 1 .. 3;
ok(defined $many[0]{goaway}, 'clients are told to go away');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'no process crashed');
done_testing();
