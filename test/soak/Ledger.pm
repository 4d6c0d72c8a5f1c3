# Ledger: what the senders of a soak sent and what was acknowledged, from their journals, beside the database.
#
#   my $ledger = Ledger->new($dir, $senders);
#   $ledger->read;                                   # what the journals say by now
#   my ($least, $most) = $ledger->spans($from, $to); # of service plain, started in those seconds
#
# Acknowledged spans must be found by every query that begins later; those of a request without an answer may be.
package Ledger;
use strict;
use warnings;

use constant SPANS => 50;

sub new
{
	my ($class, $dir, $senders) = @_;

	return bless {
		dir => $dir,
		journals => [ map { { name => "$dir/journal.$_", at => 0 } } 0 .. $senders - 1 ],
		requests => {},        # "sender/number" => [second, retried, state]
		seconds => {},         # of service plain: second => [acknowledged requests, those not known]
		recent => [],          # of acknowledged requests
		count => { a => 0, r => 0, u => 0, retried => 0 },
	}, $class;
}

sub read
{
	my ($self) = @_;

	for my $sender (0 .. $#{ $self->{journals} })
	{
		my $journal = $self->{journals}[$sender];

		open my $in, '<', $journal->{name} or next;
		seek $in, $journal->{at}, 0;
		while (my $line = <$in>)
		{
			last if $line !~ /\n$/;
			$journal->{at} += length $line;
			$self->note($sender, split ' ', $line);
		}
		close $in;
	}
	return;
}

sub note
{
	my ($self, $sender, $state, $number, $second, $retried) = @_;
	my $request = $self->{requests}{"$sender/$number"} //= [ $second, $retried, 's' ];
	my $counts = $self->{seconds}{ $request->[0] } //= [ 0, 0 ];

	if ($state eq 's')
	{
		$counts->[1]++ unless $retried;
		$self->{count}{retried} += $retried;
		return;
	}
	$request->[2] = $state;
	$self->{count}{$state}++;
	return if $request->[1];
	$counts->[1]-- if $state ne 'u';
	return if $state ne 'a';
	$counts->[0]++;
	push @{ $self->{recent} }, [ $sender, $number ];
	splice @{ $self->{recent} }, 0, 1000 if @{ $self->{recent} } > 2000;
	return;
}

sub spans
{
	my ($self, $from, $to) = @_;
	my ($least, $most) = (0, 0);

	while (my ($second, $counts) = each %{ $self->{seconds} })
	{
		next if $second < $from || $second >= $to;
		$least += $counts->[0];
		$most += $counts->[0] + $counts->[1];
	}
	return ($least * SPANS, $most * SPANS);
}

# Days, as numbers from 1970, that may have spans.
sub days
{
	my ($self) = @_;
	my %days = map { int($_ / 86400) => 1 } keys %{ $self->{seconds} };

	return sort { $a <=> $b } keys %days;
}

# A request acknowledged not long ago, as sender and number.
sub acknowledged
{
	my ($self) = @_;

	return @{ $self->{recent} } ? @{ $self->{recent}[ rand @{ $self->{recent} } ] } : ();
}

# Spans of the trace of a request that are there for sure and that may be there, started since a second.
sub trace_spans
{
	my ($self, $sender, $number, $since) = @_;
	my ($least, $most) = (0, 0);

	for my $n (map { int($number / 2) * 2 + $_ } 0, 1)
	{
		my $request = $self->{requests}{"$sender/$n"} // next;
		$least += SPANS if $request->[2] eq 'a' && $request->[0] >= $since;
		$most += SPANS * ($request->[1] ? 2 : 1) if $request->[2] ne 'r';
	}
	return ($least, $most);
}

# For COPY: sender, number, second, retried, state.
sub write_table
{
	my ($self, $file) = @_;

	open my $out, '>', $file or die "$file: $!";
	while (my ($key, $request) = each %{ $self->{requests} })
	{
		print $out join("\t", split(m{/}, $key), @$request), "\n";
	}
	close $out or die "$file: $!";
	return;
}

1;
