# Gauge: memory of the workers and sizes of files over time, and whether they are steady.
#
#   my $gauge = Gauge->new($node);
#   $gauge->take($minutes, %more);      # a row of the table
#   $gauge->table;                      # text
#   my @problems = $gauge->unsteady;    # what grew from the middle of the run to its end
package Gauge;
use strict;
use warnings;
use TempoTest;

my @workers = ('launcher', 'query server', 'merger', 'maintenance', 'receiver 0', 'receiver 1', 'query executor 0', 'query executor 1');
my @sizes = qw(spans_mb waiting_mb dead_mb wal_mb);
my @more = qw(acknowledged partitions segments waiting);

sub new
{
	my ($class, $node) = @_;

	return bless { node => $node, rows => [] }, $class;
}

# Memory of a process that it shares with nobody, in MB.
sub anonymous
{
	my ($pid) = @_;

	open my $in, '<', "/proc/$pid/status" or return;
	while (<$in>)
	{
		return $1 / 1024 if /^RssAnon:\s+(\d+) kB/;
	}
	return;
}

sub take
{
	my ($self, $minutes, %row) = @_;
	my $pids = sql($self->{node}, q{SELECT worker || CASE WHEN worker IN ('receiver', 'query executor') THEN ' ' || number ELSE '' END, pid
	  FROM tempo.status WHERE pid IS NOT NULL});
	my @sizes_now = split /\|/, sql($self->{node}, <<'SQL');
WITH leaf AS (SELECT inhrelid::regclass AS oid FROM pg_inherits WHERE inhparent = 'tempo.spans'::regclass)
SELECT (SELECT sum(pg_total_relation_size(oid))::bigint >> 20 FROM leaf),
       (SELECT sum(pg_total_relation_size(reltoastrelid))::bigint >> 20 FROM leaf JOIN pg_class USING (oid)),
       (SELECT sum(dead_bytes)::bigint >> 20 FROM tempo.storage),
       (SELECT sum(size)::bigint >> 20 FROM pg_ls_waldir()),
       (SELECT count(*) FROM leaf),
       (SELECT sum(segments) FROM tempo.storage),
       (SELECT sum(waiting_batches) FROM tempo.storage)
SQL

	$row{minutes} = $minutes;
	@row{ @sizes, qw(partitions segments waiting) } = @sizes_now;
	for (split /\n/, $pids)
	{
		my ($name, $pid) = split /\|/;
		$row{$name} = anonymous($pid);
	}
	push @{ $self->{rows} }, \%row;
	return line(\%row);
}

sub line
{
	my ($row) = @_;

	return sprintf('%6.1f', $row->{minutes}) . join '', map { sprintf ' %12s', !defined $row->{$_} ? '-' : $row->{$_} =~ /^\d+$/ ? $row->{$_} : sprintf '%.1f', $row->{$_} }
	  @more, @sizes, @workers;
}

sub head
{
	return '   min' . join '', map { sprintf ' %12s', s/query executor/executor/r } @more, @sizes, map { "$_ MB" =~ s/query server/query/r } @workers;
}

sub table
{
	my ($self) = @_;

	return join "\n", head(), map { line($_) } @{ $self->{rows} };
}

sub most
{
	my ($self, $name, $from, $to) = @_;
	my $n = @{ $self->{rows} };
	my $most = 0;

	for my $i (int($n * $from) .. int($n * $to) - 1)
	{
		my $value = $self->{rows}[$i]{$name} // next;
		$most = $value if $value > $most;
	}
	return $most;
}

# A quarter more than in the second third of the run, and some megabytes, is not growth.
sub unsteady
{
	my ($self) = @_;
	my @problems;

	for my $name (@workers, 'waiting_mb', 'wal_mb')
	{
		my ($before, $after) = ($self->most($name, 1 / 3, 2 / 3), $self->most($name, 2 / 3, 1));

		push @problems, sprintf '%s: %.1f MB, then %.1f MB', $name, $before, $after
		  if $after > $before * 1.25 + ($name =~ /_mb/ ? 64 : 16);
	}
	return @problems;
}

1;
