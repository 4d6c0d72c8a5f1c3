# Http2: an HTTP/2 client on a bare socket, for calls a proper client would not make.
#
#   my $c = Http2->new($port);
#   my $id = $c->request([ [ ':path', '/x' ], ... ], $body);    # HEADERS and DATA, end of stream
#   my $r = $c->response($id);       # { status, headers, trailers, body, reset, closed }
#   $c->frame($type, $flags, $stream, $payload);                # anything
#   my $f = $c->read_frame(2);       # { type, flags, stream, payload }, undef: closed or nothing in 2 s
package Http2;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8 };
use constant { END_STREAM => 1, END_HEADERS => 4, ACK => 1 };

# Static table of HPACK, and the lengths of its Huffman code, which is canonical; only ASCII is short.
my @static = (undef, ':authority', ':method', ':method', ':path', ':path', ':scheme', ':scheme', (':status') x 7,
	qw(accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow
	  authorization cache-control content-disposition content-encoding content-language content-length
	  content-location content-range content-type cookie date etag expect expires from host if-match
	  if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
	  proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
	  strict-transport-security transfer-encoding user-agent vary via www-authenticate));
my %static_value = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404, 14 => 500);
my @lengths = ((99) x 32,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, (7) x 22, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 99);
$lengths[0] = 13;
my %huffman;
{
	my ($code, $length) = (0, 5);
	for my $symbol (sort { $lengths[$a] <=> $lengths[$b] || $a <=> $b } grep { $lengths[$_] <= 15 } 0 .. 127)
	{
		$code <<= $lengths[$symbol] - $length;
		$length = $lengths[$symbol];
		$huffman{ sprintf "%0*b", $length, $code++ } = chr $symbol;
	}
}

sub new
{
	my ($class, $port, %opt) = @_;
	my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "port $port: $!";
	my $self = bless { sock => $sock, next => 1, in => '', window => 65535, streams => {} }, $class;

	setsockopt($sock, IPPROTO_TCP, TCP_NODELAY, 1);
	return $self if $opt{raw};
	$self->raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	# No dynamic table, so that header blocks can be read one by one.
	$self->frame(SETTINGS, 0, 0, pack('nN', 1, 0) . ($opt{settings} // ''));
	return $self;
}

sub raw
{
	my ($self, $bytes) = @_;

	local $SIG{PIPE} = 'IGNORE';
	while (length $bytes)
	{
		my $n = syswrite $self->{sock}, $bytes;
		return 0 unless $n;
		substr($bytes, 0, $n) = '';
	}
	return 1;
}

sub frame
{
	my ($self, $type, $flags, $stream, $payload) = @_;

	return $self->raw(substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload);
}

sub field
{
	my ($name, $value) = @_;

	return join '', "\0", map { length($_) < 127 ? chr(length) . $_ : "\x7f" . _rest(length($_) - 127) . $_ } $name, $value;
}

sub _rest { my ($n) = @_; my $o = ''; while ($n > 127) { $o .= chr($n & 127 | 128); $n >>= 7 } return $o . chr $n; }

# Opens a stream; end => 1: without a body.
sub open_stream
{
	my ($self, $headers, $end) = @_;
	my $id = $self->{next};

	$self->{next} += 2;
	$self->{streams}{$id} = { body => '', headers => {}, trailers => {}, window => 65535 };
	$self->frame(HEADERS, END_HEADERS | ($end ? END_STREAM : 0), $id, join '', map { field(@$_) } @$headers);
	return $id;
}

# DATA in pieces, within the windows the server gives.
sub send_body
{
	my ($self, $id, $body, $end) = @_;
	my $s = $self->{streams}{$id};

	for (;;)
	{
		my $n = length $body;

		$n = $_ < $n ? $_ : $n for 16384, $self->{window}, $s->{window} + ($self->{stream_more} // 0);
		if ($n <= 0 && length $body)
		{
			return 0 if !$self->pump(10) || $s->{closed};
			next;
		}
		my $piece = substr $body, 0, $n, '';
		$self->{window} -= $n;
		$s->{window} -= $n;
		return 0 if !$self->frame(DATA, $end && !length $body ? END_STREAM : 0, $id, $piece);
		last if !length $body;
	}
	return 1;
}

sub request
{
	my ($self, $headers, $body) = @_;
	my $id = $self->open_stream($headers, !defined $body);

	$self->send_body($id, $body, 1) if defined $body;
	return $id;
}

# A gRPC call of a unary method; message with its five bytes of prefix.
sub grpc
{
	my ($self, $path, $message, @more) = @_;
	my @headers = ([ ':method', 'POST' ], [ ':scheme', 'http' ], [ ':path', $path ], [ ':authority', 'test' ],
		[ 'content-type', 'application/grpc' ], [ 'te', 'trailers' ], @more);

	return $self->request(\@headers, $message);
}

sub read_frame
{
	my ($self, $seconds) = @_;
	my $select = IO::Select->new($self->{sock});

	for (;;)
	{
		if (length $self->{in} >= 9)
		{
			my $length = unpack 'N', "\0" . substr $self->{in}, 0, 3;

			if (length $self->{in} >= 9 + $length)
			{
				my ($type, $flags, $stream) = unpack 'x3CCN', $self->{in};
				my $payload = substr $self->{in}, 9, $length;

				substr($self->{in}, 0, 9 + $length) = '';
				return { type => $type, flags => $flags, stream => $stream, payload => $payload };
			}
		}
		return undef if !$select->can_read($seconds);
		if (!sysread $self->{sock}, $self->{in}, 65536, length $self->{in})
		{
			$self->{closed} = 1;
			return undef;
		}
	}
}

sub decode_headers
{
	my ($block) = @_;
	my ($at, %headers) = (0);
	my $number = sub {
		my ($bits) = @_;
		my $max = (1 << $bits) - 1;
		my $n = ord(substr $block, $at++, 1) & $max;
		return $n if $n < $max;
		for (my $shift = 0, my $byte = 128; $byte & 128; $shift += 7)
		{
			$byte = ord substr $block, $at++, 1;
			$n += ($byte & 127) << $shift;
		}
		return $n;
	};
	my $string = sub {
		my $huffman = ord(substr $block, $at, 1) & 128;
		my $length = $number->(7);
		my $bytes = substr $block, $at, $length;
		my ($out, $bits) = ('', '');
		$at += $length;
		return $bytes if !$huffman;
		for my $bit (split //, unpack 'B*', $bytes)
		{
			$bits .= $bit;
			next unless exists $huffman{$bits};
			$out .= $huffman{$bits};
			$bits = '';
		}
		return $out;
	};

	while ($at < length $block)
	{
		my $byte = ord substr $block, $at, 1;

		if ($byte & 128)
		{
			my $index = $number->(7);
			$headers{ $static[$index] } = $static_value{$index} // '';
		}
		elsif (($byte & 0xe0) == 0x20) { $number->(5) }
		else
		{
			my $index = $number->($byte & 64 ? 6 : 4);
			my $name = $index ? $static[$index] : $string->();
			$headers{$name} = $string->();
		}
	}
	return \%headers;
}

# Reads one frame and notes what it says. False: nothing came.
sub pump
{
	my ($self, $seconds) = @_;
	my $f = $self->read_frame($seconds) or return 0;
	my $s = $self->{streams}{ $f->{stream} };

	if ($f->{type} == SETTINGS && !($f->{flags} & ACK))
	{
		my %set = unpack '(nN)*', $f->{payload};

		$self->{stream_more} = $set{4} - 65535 if exists $set{4};
		$self->{settings} = \%set;
		$self->frame(SETTINGS, ACK, 0, '');
	}
	elsif ($f->{type} == PING) { $self->{pong} = $f->{payload} if $f->{flags} & ACK }
	elsif ($f->{type} == GOAWAY) { $self->{goaway} = unpack 'x4N', $f->{payload} }
	elsif ($f->{type} == WINDOW_UPDATE)
	{
		my $more = unpack 'N', $f->{payload};
		if ($f->{stream}) { $s->{window} += $more if $s }
		else { $self->{window} += $more }
	}
	elsif (!$s) { }
	elsif ($f->{type} == HEADERS)
	{
		my $h = decode_headers($f->{payload});
		if (exists $h->{':status'}) { $s->{headers} = $h; $s->{status} = $h->{':status'} }
		else { $s->{trailers} = $h }
	}
	elsif ($f->{type} == DATA)
	{
		$s->{body} .= $f->{payload};
		$self->frame(WINDOW_UPDATE, 0, $_, pack 'N', length $f->{payload}) for length $f->{payload} ? (0, $f->{stream}) : ();
	}
	elsif ($f->{type} == RST_STREAM) { $s->{reset} = unpack 'N', $f->{payload}; $s->{closed} = 1 }
	$s->{closed} = 1 if $s && $f->{type} <= HEADERS && $f->{flags} & END_STREAM;
	return 1;
}

sub response
{
	my ($self, $id, $seconds) = @_;
	my $s = $self->{streams}{$id};

	until ($s->{closed}) { last if !$self->pump($seconds // 30) }
	# gRPC puts its status into the only header block when there is no message.
	$s->{grpc_status} = $s->{trailers}{'grpc-status'} // $s->{headers}{'grpc-status'};
	$s->{grpc_message} = $s->{trailers}{'grpc-message'} // $s->{headers}{'grpc-message'};
	return $s;
}

1;
