# Sourced by the scripts beside it: where things are, and who runs the server.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-$("$root/scripts/find-pg-config")}
export PG_CONFIG

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# PostgreSQL refuses to run as root: then it runs as `postgres`, otherwise as whoever calls.
if [ "$(id -u)" = 0 ]; then server_user=${TEMPO_SERVER_USER:-postgres}; else server_user=$(id -un); fi

# as_server COMMAND...: run as that user, from a directory it can enter.
as_server() {
	if [ "$(id -u)" = 0 ]; then
		(cd "${work:-/}" && HOME=${work:-/} runuser -u "$server_user" -- "$@")
	else
		(cd "${work:-/}" && "$@")
	fi
}

# as_root COMMAND...: for installing; through sudo when we are not root.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "\"$*\" needs root, and there is no sudo"
	fi
}

# Sets bindir and work: a directory that belongs to the server's user, build/server when that user can
# get there, otherwise one under $TMPDIR (a tree under /root, say).
find_work() {
	bindir=$("$PG_CONFIG" --bindir) || die "no PostgreSQL found; run \"make deps\""
	[ -x "$bindir/postgres" ] || die "no server in $bindir; run \"make deps\""
	mkdir -p "$root/build"
	work=$root/build/server
	if ! as_server_can_enter "$root/build"; then
		work=${TMPDIR:-/tmp}/tempo-$(printf %s "$root" | cksum | cut -d' ' -f1)
		as_server_can_enter "${TMPDIR:-/tmp}" || work=/tmp/${work##*/}
	fi
	[ -d "$work" ] || mkdir -m 700 "$work" || die "cannot make $work"
	[ "$(id -u)" != 0 ] || [ -L "$work" ] || chown "$server_user" "$work"
	[ -O "$work" ] || [ "$(stat -c %U "$work")" = "$server_user" ] || die "$work belongs to somebody else"
	[ ! -L "$work" ] || die "$work is a symbolic link"
}

as_server_can_enter() {
	if [ "$(id -u)" = 0 ]; then (cd / && runuser -u "$server_user" -- test -x "$1" -a -r "$1"); else [ -x "$1" ]; fi
}

# Sets tests, the directory that tests run from: the tree itself when the server's user can read it, otherwise
# a copy of what they need; and shared, the same for TEMPO_SHARED.
find_tests() {
	tests=$root
	shared=${TEMPO_SHARED:-$root/../shared}
	if [ "$work" != "$root/build/server" ]; then
		tests=$work/tree
		rm -rf "$tests"
		mkdir -p "$tests"
		(cd "$root" && cp -a sql expected test scripts doc "$tests/" 2>/dev/null)
		for built in build/reference build/bench/bin; do
			if [ -d "$root/$built" ]; then
				mkdir -p "$tests/$(dirname $built)"
				cp -a "$root/$built" "$tests/$built"
			fi
		done
		chown -R "$server_user" "$tests"
	fi
	if [ -d "$shared" ] && ! as_server_can_enter "$shared"; then
		rm -rf "$work/shared"
		cp -r "$shared" "$work/shared"
		chown -R "$server_user" "$work/shared"
		shared=$work/shared
	fi
}

# free_port: a TCP port nobody listens on now, below those that outgoing connections get.
free_port() {
	perl -MIO::Socket::INET -e '
		while (1) {
			my $port = 10200 + int rand 22000;
			IO::Socket::INET->new(Listen => 1, LocalAddr => "0.0.0.0", LocalPort => $port) or next;
			print $port;
			last;
		}'
}
