# TempoTest: what the TAP tests share. A server with tempo preloaded on free ports, OTLP over HTTP, the real
# data sets, waiting, and the check that ends every test.
#
#   my $node = tempo_node('main');                    # started, extension created, tempo.init() done
#   my $r = otlp_post($node, $bytes);                 # {status, headers, content}; 200 means committed
#   is(sql($node, 'SELECT count(*) FROM tempo.spans'), 5);
#   finish($node);                                    # tempo_check is clean, no crash in the log, stop
package TempoTest;
use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use JSON::PP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(tempo_node tempo_ports sql otlp_url otlp_post api_get send_file
  shared_dir data_files data_stats data_requests length_prefixed wait_until wait_for_port check_clean finish);

# A running server. Options: conf (more lines of postgresql.conf), start => 0, init => 0, allows_streaming.
sub tempo_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(allows_streaming => $opt{allows_streaming} // 0, extra => [ '--encoding=UTF8', '--locale=C.UTF-8' ]);
	tempo_ports($node);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'tempo'\nmax_worker_processes = 24\n" . ($opt{conf} // ''));
	return $node if exists $opt{start} && !$opt{start};
	$node->start;
	return $node if exists $opt{init} && !$opt{init};
	sql($node, 'CREATE EXTENSION tempo');
	sql($node, 'SELECT tempo.init()');
	wait_for_port($node->{tempo_port}{$_}) for qw(grpc otlp http);
	return $node;
}

# Gives a node ports of its own: $node->{tempo_port}{grpc | otlp | http}. Again for a standby of it.
sub tempo_ports
{
	my ($node) = @_;
	my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(grpc otlp http);

	$node->{tempo_port} = \%port;
	$node->append_conf('postgresql.conf', <<"CONF");
tempo.otlp_grpc_port = $port{grpc}
tempo.otlp_http_port = $port{otlp}
tempo.http_port = $port{http}
CONF
	return;
}

# One statement's output, unaligned; dies when it fails.
sub sql
{
	my ($node, $query, %opt) = @_;

	return $node->safe_psql($opt{dbname} // 'postgres', $query);
}

sub otlp_url
{
	my ($node) = @_;

	return "http://127.0.0.1:$node->{tempo_port}{otlp}/v1/traces";
}

# HTTP::Tiny writes head and body apart; without this the body waits for an ACK that comes 40 ms late.
{
	my $connect = \&HTTP::Tiny::Handle::connect;
	no warnings 'redefine';
	*HTTP::Tiny::Handle::connect = sub {
		my $handle = $connect->(@_);
		setsockopt($handle->{fh}, IPPROTO_TCP, TCP_NODELAY, 1);
		return $handle;
	};
}

# One client per process keeps its connection.
my $http = HTTP::Tiny->new(timeout => 120, keep_alive => 1);

# Options: type (content type, default protobuf), headers.
sub otlp_post
{
	my ($node, $bytes, %opt) = @_;
	my %headers = ('Content-Type' => $opt{type} // 'application/x-protobuf', %{ $opt{headers} // {} });

	return $http->post(otlp_url($node), { headers => \%headers, content => $bytes });
}

# GET on the query server; path with its query string.
sub api_get
{
	my ($node, $path, %headers) = @_;

	return $http->get("http://127.0.0.1:$node->{tempo_port}{http}$path", { headers => \%headers });
}

# Real data: TEMPO_SHARED, or ../shared beside the tree; undef when there is none.
sub shared_dir
{
	my $dir = $ENV{TEMPO_SHARED} || '../shared';

	return -d "$dir/data" ? $dir : undef;
}

# Names of the data sets, without their suffixes.
sub data_files
{
	my $dir = shared_dir() // return;

	my @names = sort map { m{([^/]+)\.otlp\.zst$} } glob("$dir/data/*.otlp.zst");

	return @names;
}

sub data_stats
{
	my ($name) = @_;

	return decode_json(slurp_file(shared_dir() . "/data/$name.stats.json"));
}

# The requests of a data set, as bytes.
sub data_requests
{
	my ($name) = @_;
	my $bytes = '';

	open my $in, '-|:raw', 'zstd', '-dcq', shared_dir() . "/data/$name.otlp.zst" or die "zstd: $!";
	{ local $/; $bytes = <$in>; }
	close $in or die "zstd fails on $name";
	return length_prefixed($bytes);
}

# Splits varint-length-delimited messages.
sub length_prefixed
{
	my ($bytes) = @_;
	my ($at, @messages) = (0);

	while ($at < length $bytes)
	{
		my ($len, $shift, $byte) = (0, 0);
		do
		{
			$byte = ord substr($bytes, $at++, 1);
			$len |= ($byte & 0x7f) << $shift;
			$shift += 7;
		} while ($byte & 0x80);
		push @messages, substr($bytes, $at, $len);
		$at += $len;
	}
	return @messages;
}

# Sends a whole data set over HTTP; dies on the first answer that is not 200. Returns the number of requests.
sub send_file
{
	my ($node, $name, %opt) = @_;
	my $n = 0;

	for my $request (data_requests($name))
	{
		my $r = otlp_post($node, $request, %opt);
		die "$name, request $n: $r->{status} $r->{content}" if $r->{status} != 200;
		$n++;
	}
	return $n;
}

# Calls the code until it is true, or dies after the given seconds.
sub wait_until
{
	my ($what, $code, $seconds) = @_;
	my $end = time + ($seconds // 60);

	until ($code->())
	{
		die "gave up waiting for $what" if time > $end;
		sleep 0.05;
	}
	return 1;
}

sub wait_for_port
{
	my ($port) = @_;

	return wait_until("port $port",
		sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 1) });
}

# tempo_check finds nothing wrong anywhere.
sub check_clean
{
	my ($node, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($node, 'SELECT * FROM tempo_check(NULL)'), '', $name // 'tempo_check is clean');
}

# The end of every test: clean, stopped, and nothing crashed meanwhile. crashed => 1: crashes were wanted.
sub finish
{
	my ($node, %opt) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	check_clean($node);
	$node->stop('fast');
	return if $opt{crashed};
	return unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|TRAP:/, 'no process crashed');
}

1;
