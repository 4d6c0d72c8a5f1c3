# The launcher: when workers run and when not, and what they do when what they need comes and goes.
use strict;
use warnings;
use HTTP::Tiny;
use IO::Socket::INET;
use OtlpWire;
use PostgreSQL::Test::Utils;
use TempoTest;
use Test::More;
use Time::HiRes qw(sleep time);

sub listens { return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_[0], Timeout => 1); }
sub running { my ($node, $where, %opt) = @_; return sql($node, "SELECT count(*) FROM tempo.status WHERE state <> 'stopped' AND $where", %opt); }
sub connected { my ($node, $db) = @_; return sql($node, "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db' AND backend_type LIKE 'tempo %'", dbname => 'template1'); }

# ---- not preloaded ----

my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init;
$plain->start;
my ($out, $err);
$plain->psql('postgres', 'CREATE EXTENSION tempo', stdout => \$out, stderr => \$err);
like($err, qr/WARNING:.*not running.*\n.*HINT:.*shared_preload_libraries/, 'CREATE EXTENSION says how to get receivers');
sql($plain, 'SELECT tempo.init()');
is(sql($plain, "SELECT tempo_ingest('\\x" . unpack('H*', otlp_request(spans => 2)) . "')") ne '' && sql($plain, 'SELECT count(*) FROM tempo.spans'), 2, 'tables and functions work');
is(sql($plain, 'SELECT count(*) FROM tempo.status'), 0, 'tempo.status is empty');
isnt($plain->psql('postgres', 'SELECT tempo.start_workers()', stderr => \$err), 0, 'there are no workers to start');
like($err, qr/tempo is not preloaded/, 'and it says so');
$plain->stop;

# ---- preloaded, but there is nothing to serve ----

my $node = tempo_node('main', init => 0);
my %port = %{ $node->{tempo_port} };
sleep 1.5;
is(connected($node, 'postgres'), 0, 'without the extension nobody is connected');
ok(!listens($port{otlp}), 'nor listens');
sql($node, 'CREATE DATABASE copy TEMPLATE postgres', dbname => 'template1');
sql($node, 'CREATE EXTENSION tempo');
sleep 1.5;
is(running($node, "worker <> 'launcher'"), 0, 'without tempo.spans neither');
sql($node, 'SELECT tempo.init()');
wait_for_port($port{$_}) for qw(grpc otlp http);
pass('after tempo.init() they come by themselves');
is(otlp_post($node, otlp_request())->{status}, 200, 'and take spans');
is(sql($node, "SELECT count(*) FROM tempo.status WHERE worker = 'receiver' AND last_commit > now() - interval '1 minute'"), 1, 'tempo.status has the last commit');
wait_until('merger', sub { sql($node, "SELECT waiting_batches FROM tempo.status WHERE worker = 'merger' AND merge_lag < '1 minute'") eq '1' }, 10);
pass('and what waits to be merged');

# A launcher that is ended takes the others along, and another starts all of them, each once.
my $before = sql($node, "SELECT string_agg(pid::text, ',') FROM tempo.status");
sql($node, "SELECT pg_terminate_backend(pid) FROM tempo.status WHERE worker = 'launcher'");
wait_until('everybody anew', sub { sql($node, "SELECT count(*) FROM tempo.status WHERE state <> 'stopped' AND pid <> ALL ('{$before}')") == 8 }, 30);
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'tempo %'"), 8, 'after the launcher ended all workers are there once');
wait_for_port($port{otlp});
is(otlp_post($node, otlp_request())->{status}, 200, 'and receive');

# Somebody without rights sees nothing of it.
sql($node, 'CREATE ROLE nobody');
isnt($node->psql('postgres', "SET ROLE nobody; SELECT * FROM tempo.status", stderr => \$err), 0, 'tempo.status is not for everybody');
isnt($node->psql('postgres', "SET ROLE nobody; SELECT tempo.stop_workers()", stderr => \$err), 0, 'nor is tempo.stop_workers()');
sql($node, 'GRANT pg_monitor TO nobody');
is($node->psql('postgres', "SET ROLE nobody; SELECT * FROM tempo.status"), 0, 'it is for pg_monitor');

# ---- what they need goes away and comes back ----

sql($node, 'DROP EXTENSION tempo CASCADE');
my $http = HTTP::Tiny->new(timeout => 20);
$http->post(otlp_url($node), { headers => { 'Content-Type' => 'application/x-protobuf' }, content => otlp_request() });
wait_until('the end of the receivers', sub { !listens($port{otlp}) }, 20);
wait_until('nobody connected', sub { connected($node, 'postgres') == 0 }, 20);
pass('after DROP EXTENSION the workers leave');
sql($node, 'CREATE EXTENSION tempo');
sql($node, 'SELECT tempo.init()');
wait_for_port($port{otlp});
wait_until('stored again', sub { otlp_post($node, otlp_request())->{status} == 200 }, 20);
pass('and come back with it');

# ---- another database, other roles ----

sql($node, 'CREATE EXTENSION tempo', dbname => 'copy');
sql($node, 'SELECT tempo.init()', dbname => 'copy');
is(connected($node, 'copy'), 0, 'another database is not touched');
$node->append_conf('postgresql.conf', "tempo.database = 'copy'");
$node->reload;
wait_until('the move', sub { connected($node, 'copy') >= 5 && connected($node, 'postgres') == 0 }, 20);
wait_for_port($port{otlp});
is(otlp_post($node, otlp_request(service => 'copied'))->{status}, 200, 'after a change of tempo.database');
is(sql($node, "SELECT count(*) FROM tempo.spans WHERE service = 'copied'", dbname => 'copy'), 1, 'spans go there');
sql($node, 'DROP EXTENSION tempo CASCADE');

isnt($node->psql('template1', 'DROP DATABASE copy', stderr => \$err), 0, 'the database of the workers cannot be dropped under them');
sql($node, 'SELECT tempo.stop_workers()', dbname => 'copy');
sql($node, 'ALTER DATABASE copy RENAME TO moved', dbname => 'template1');
sql($node, 'SELECT tempo.start_workers()', dbname => 'moved');
sleep 1.5;
is(connected($node, 'moved'), 0, 'tempo.database does not exist: nobody runs');
$node->append_conf('postgresql.conf', "tempo.database = 'moved'");
$node->reload;
wait_for_port($port{otlp});
is(otlp_post($node, otlp_request(service => 'moved'))->{status}, 200, 'until it does');

# ---- one port, two servers ----

my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'tempo'
max_worker_processes = 24
tempo.otlp_grpc_port = 0
tempo.otlp_http_port = $port{otlp}
tempo.http_port = $port{http}
CONF
$other->start;
sql($other, 'CREATE EXTENSION tempo');
sql($other, 'SELECT tempo.init()');
wait_until('the complaint', sub { slurp_file($other->logfile) =~ /port $port{otlp} is held by another server/ }, 20);
is(sql($other, "SELECT count(*) FROM tempo.status WHERE listeners <> ''"), 0, 'a second server does not share the ports of the first');
my $free = PostgreSQL::Test::Cluster::get_free_port();
my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die;
$other->append_conf('postgresql.conf', "tempo.otlp_http_port = $free\ntempo.http_port = " . $taken->sockport);
$other->reload;
wait_for_port($free);
pass('on ports of its own it listens');
wait_until('the complaint', sub { slurp_file($other->logfile) =~ /could not listen on 127.0.0.1:@{[ $taken->sockport ]}/ }, 20);
like(sql($other, "SELECT last_error FROM tempo.status WHERE worker = 'query server'"), qr/already in use/, 'a port in use by something else is reported');
my $taken_port = $taken->sockport;
close $taken;
wait_for_port($taken_port);
pass('and taken once it is free');

# ---- a limit on connections ----

$other->append_conf('postgresql.conf', "tempo.receivers = 1\ntempo.max_connections = 3");
$other->reload;
wait_until('one receiver', sub { running($other, "worker = 'receiver'") == 1 }, 20);
sleep 0.3;
sub connection { return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $free, Timeout => 10) // die $!; }
my @held = map { connection() } 1 .. 3;
sleep 0.3;
my $fourth = connection();
print $fourth "GET /v1/traces HTTP/1.1\r\nHost: x\r\n\r\n";
$fourth->flush;
ok(!IO::Select->new($fourth)->can_read(0.7), 'beyond tempo.max_connections a client waits');
close shift @held;
ok(IO::Select->new($fourth)->can_read(5), 'for another one to leave');
close $_ for @held, $fourth;

# ---- too few worker slots ----

$other->append_conf('postgresql.conf', "max_worker_processes = 3\ntempo.max_connections = 100");
$other->restart;
wait_until('the complaint', sub { slurp_file($other->logfile) =~ /no background worker slot for the tempo .*\n.*max_worker_processes/ }, 20);
pass('too few worker slots are reported');
$other->stop('fast');
unlike(slurp_file($other->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'no process crashed');
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'nor here');
done_testing();
