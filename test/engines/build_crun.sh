#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build_crun.sh BUILD: Debian's source of crun, with our libcriu -> BUILD/crun/crun. The machine's package lists stay as they are.
set -eu
build=$(realpath "$1")
top=$build/crun
root=$(realpath "$(dirname "$0")/../..")
rm -rf "$top"
mkdir -p "$top/parts" "$top/lists/partial" "$top/include/criu" "$top/pkgconfig"
for list in /etc/apt/sources.list.d/*.sources; do
	[ -e "$list" ] && sed 's/^Types: deb$/Types: deb deb-src/' "$list" >"$top/parts/$(basename "$list")"
done
for list in /etc/apt/sources.list; do
	[ -s "$list" ] && sed 's/^deb \(.*\)/deb \1\ndeb-src \1/' "$list" >"$top/parts/main.list"
done
apt="apt-get -q -y -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$top/parts -o Dir::State::Lists=$top/lists"
cd "$top"
$apt update >apt.log 2>&1
$apt source --download-only crun >>apt.log 2>&1
dpkg-source -x crun_*.dsc source >>apt.log 2>&1
needs=$(dpkg-checkbuilddeps source/debian/control 2>&1 | sed 's/.*dependencies: //; s/([^)]*)//g; s/criu[^ ]*//g; s/libcriu[^ ]*//g')
[ -z "$needs" ] || DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $needs >>apt.log 2>&1
cp "$root/lib/c/criu.h" "$root/lib/c/version.h" "$root/images/rpc.proto" include/criu/
cp "$build/images/rpc.pb-c.h" include/criu/
cat >pkgconfig/criu.pc <<END
Name: CRIU
Description: the library of this build
Version: 4.2
Libs: -L$build -lcriu
Cflags: -I$top/include/criu -I$top/include
END
cd source
PKG_CONFIG_PATH=$top/pkgconfig CPPFLAGS=-I$top/include ./configure >configure.log 2>&1
make -j2 >make.log 2>&1
LD_LIBRARY_PATH=$build ./crun --version | grep -q '+CRIU'
cp crun ../crun
cd ..
rm -rf source lists
