# Shared by the scripts in this folder; sourced, not run.
#
# Each dependency has a check that does not ask the package manager: on a system without apt it may
# be installed under another name.  Only missing packages are listed, and installed if there is apt.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
missing_packages=()

say() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
}

die() {
	say "$@"
	exit 1
}

# The comment at the top of the script is its help text.
show_help() {
	sed -n '2,/^[^#]/ { /^#/ { s/^# \{0,1\}//; p; } }' "$0"
	exit 0
}

wrong_usage() {
	say "$1 (try --help)"
	exit 2
}

# need PACKAGE COMMAND...: notes the Debian package as missing if the command fails.
need() {
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || missing_packages+=("$package")
}

has_command() {
	command -v "$1"
}

# Debian installs daemons in a directory that is not in a user's PATH.
has_daemon() {
	PATH=$PATH:/usr/sbin command -v "$1"
}

has_header() {
	printf '#include <%s>\n' "$1" | cc -E -x c -
}

has_library() {
	pkg-config --exists "$1"
}

need_for_building() {
	need gcc has_command cc
	need libc6-dev has_header stdio.h
	need linux-libc-dev has_header linux/openat2.h
	need pkg-config has_command pkg-config
	need meson has_command meson
	need ninja-build has_command ninja
	need liburing-dev has_library liburing
	need zlib1g-dev has_library zlib
	need libxxhash-dev has_library libxxhash
	need libssl-dev has_library openssl
}

need_for_testing() {
	need python3 has_command python3
	need libcmocka-dev has_library cmocka
	need libhttp-parser-dev has_header http_parser.h
	need clang-format has_command clang-format
	need scdoc has_command scdoc
	need strace has_command strace
	need valgrind has_command valgrind
	need nginx-light has_daemon nginx
	need caddy has_command caddy
	need openssl has_command openssl
	need chromium has_command chromium
	need chromium-driver has_command chromedriver
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# Installs the packages that need() found missing, and shows the command first.
install_missing() {
	[ ${#missing_packages[@]} -gt 0 ] || return 0
	local update=(apt-get update)
	local install=(apt-get install --yes --no-install-recommends "${missing_packages[@]}")
	local prefix=()

	if ! has_command apt-get >/dev/null; then
		say "missing packages, by their Debian names: ${missing_packages[*]}"
		die "cannot find apt-get: install these packages with your package manager, then try again"
	fi
	[ "$(id -u)" -eq 0 ] || prefix=(sudo)
	say "missing: ${missing_packages[*]}; installing with"
	say "    ${prefix[*]:+sudo }${update[*]} && ${prefix[*]:+sudo }${install[*]}"
	if [ ${#prefix[@]} -gt 0 ] && ! has_command sudo >/dev/null; then
		die "cannot find sudo: run this command as root, then try again"
	fi
	as_root "${update[@]}" >&2 &&
		as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" >&2
}

# build_in DIRECTORY MESON-OPTION...: configures the directory with these options and builds.
build_in() {
	local directory=$1
	shift
	if [ -f "$directory/build.ninja" ]; then
		meson configure "$directory" "$@" && ninja -C "$directory"
	else
		meson setup "$directory" "$tree" "$@" && ninja -C "$directory"
	fi
}
