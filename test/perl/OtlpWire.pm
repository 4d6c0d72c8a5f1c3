# OtlpWire: OTLP requests made by hand, and just enough protobuf to read what receivers answer.
package OtlpWire;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(time);

our @EXPORT = qw(otlp_request pb_fields pb_status random_bytes);

sub varint
{
	my ($n) = @_;
	my $out = '';

	while ($n > 127)
	{
		$out .= chr($n & 127 | 128);
		$n >>= 7;
	}
	return $out . chr $n;
}

sub bytes_field { my ($field, $bytes) = @_; return varint($field << 3 | 2) . varint(length $bytes) . $bytes; }
sub fixed64_field { my ($field, $n) = @_; return varint($field << 3 | 1) . pack 'Q<', $n; }

sub random_bytes { my ($n) = @_; return join '', map { chr int rand 256 } 1 .. $n; }

# An ExportTraceServiceRequest. Options: spans (1), service, name, start (unix ns, default now), pad (bytes
# of an attribute that makes the spans larger), trace_id.
sub otlp_request
{
	my (%opt) = @_;
	my $start = $opt{start} // int(time * 1e6) * 1000;
	my $service = bytes_field(1, 'service.name') . bytes_field(2, bytes_field(1, $opt{service} // 'test'));
	my $pad = defined $opt{pad} ? bytes_field(9, bytes_field(1, 'pad') . bytes_field(2, bytes_field(1, 'x' x $opt{pad}))) : '';
	my $spans = '';

	for my $i (1 .. $opt{spans} // 1)
	{
		my $span = bytes_field(1, $opt{trace_id} // random_bytes(16)) . bytes_field(2, chr(1) . random_bytes(7));

		$span .= bytes_field(5, $opt{name} // 'op') . fixed64_field(7, $start) . fixed64_field(8, $start + 1000);
		$spans .= bytes_field(2, $span . $pad);
	}
	return bytes_field(1, bytes_field(1, bytes_field(1, $service)) . bytes_field(2, $spans));
}

# [field, value] pairs of one message: numbers or bytes.
sub pb_fields
{
	my ($bytes) = @_;
	my ($at, @fields) = (0);
	my $number = sub {
		my ($n, $shift, $byte) = (0, 0);
		do
		{
			$byte = ord substr($bytes, $at++, 1);
			$n |= ($byte & 127) << $shift;
			$shift += 7;
		} while ($byte & 128);
		return $n;
	};

	while ($at < length $bytes)
	{
		my $tag = $number->();
		my $value = $number->();

		if (($tag & 7) == 2)
		{
			$at += $value;
			$value = substr $bytes, $at - $value, $value;
		}
		push @fields, [ $tag >> 3, $value ];
	}
	return @fields;
}

# google.rpc.Status as { code, message, details }.
sub pb_status
{
	my ($bytes) = @_;
	my %field = map { @$_ } pb_fields($bytes);

	return { code => $field{1}, message => $field{2}, details => $field{3} };
}

1;
