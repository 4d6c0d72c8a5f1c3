# Every real data set over gRPC and over HTTP: what is stored counts as its statistics say.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use TempoTest;
use Test::More;

plan skip_all => 'no real data: set TEMPO_SHARED' unless shared_dir();

my $app = "$FindBin::Bin/../app";
my $node = tempo_node('data');

for my $name (data_files())
{
	for my $way ('http', 'grpc', 'grpc gzip')
	{
		sql($node, 'TRUNCATE tempo.spans');
		if ($way eq 'http')
		{
			cmp_ok(send_file($node, $name), '>', 0, "$name over HTTP: every request is answered 200");
		}
		else
		{
		  SKIP:
			{
				skip 'no node, or the packages of test/app are not installed', 1 unless -d "$app/node_modules";
				send_grpc($name, $way =~ /gzip/ ? 'gzip' : 'none');
			}
		}
		counts_equal($name, $way);
	}
}

sub send_grpc
{
	my ($name, $compression) = @_;
	my $file = shared_dir() . "/data/$name.otlp.zst";
	my $out = qx(zstd -dcq $file | node $app/grpc_send.js 127.0.0.1:$node->{tempo_port}{grpc} $compression 8);
	my $result = decode_json($out || '{}');
	my $n = () = data_requests($name);

	is_deeply($result, { requests => $n, codes => { 0 => $n }, partial => 0, firstError => undef },
		"$name over gRPC, $compression: every request is answered OK, whole");
	return;
}

sub counts_equal
{
	my ($name, $way) = @_;
	my $stats = data_stats($name);
	my %want = map { $_ => 0 + $stats->{$_} } qw(spans traces services events links errors);
	my %got;

	@got{qw(spans traces services errors events links)} = split /\|/, sql($node, <<'SQL');
SELECT count(*), count(DISTINCT trace_id), count(DISTINCT service), count(*) FILTER (WHERE status = 'error'),
       sum(jsonb_array_length(events::jsonb)), sum(jsonb_array_length(links::jsonb))
  FROM tempo.spans
SQL
	is_deeply({ map { $_ => 0 + $got{$_} } keys %got }, \%want, "$name, $way: counts");

	my %number = (unspecified => 0, internal => 1, server => 2, client => 3, producer => 4, consumer => 5);
	my %kinds = map { my ($kind, $n) = split /\|/; ($number{$kind} => 0 + $n) }
	  split /\n/, sql($node, 'SELECT kind, count(*) FROM tempo.spans GROUP BY 1');
	is_deeply(\%kinds, $stats->{kinds}, "$name, $way: kinds");
	return;
}

finish($node);
done_testing();
