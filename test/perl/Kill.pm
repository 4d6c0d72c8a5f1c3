# Kill: SIGKILL for servers of tests and for single processes of theirs, and starting them again.
#
#   kill_process($node, $pid);        # one process; returns when the server answers again
#   kill_postmaster($node);           # returns when it is started again
package Kill;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use TempoTest;
use Time::HiRes qw(sleep);

our @EXPORT = qw(postmaster children_of kill_process kill_postmaster kill_everything);

sub postmaster
{
	my ($node) = @_;

	return (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
}

sub children_of
{
	my ($parent) = @_;
	my @children;

	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $in, '<', $stat or next;
		my $line = <$in> // next;
		push @children, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/ && $2 == $parent;
	}
	return @children;
}

sub serves
{
	my ($node) = @_;

	return system('psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT', '-o', '/dev/null') == 0;
}

sub kill_process
{
	my ($node, $pid) = @_;

	my $postmaster = postmaster($node);

	kill 'KILL', $pid;
	sleep 0.1;
	# Without its startup process a standby gives up as a whole.
	wait_until('the server', sub { !kill(0, $postmaster) || serves($node) });
	return kill(0, $postmaster) ? 1 : start_again($node);
}

# Starting is refused while processes of the killed server still hold its shared memory.
sub start_again
{
	my ($node) = @_;

	return wait_until('the start', sub { $node->{_pid} = undef; $node->start(fail_ok => 1) });
}

sub kill_postmaster
{
	my ($node) = @_;

	kill 'KILL', postmaster($node);
	return start_again($node);
}

sub kill_everything
{
	my ($node) = @_;
	my $postmaster = postmaster($node);

	kill 'KILL', $postmaster, children_of($postmaster);
	return start_again($node);
}

1;
