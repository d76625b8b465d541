# Part of setup.sh: the database servers that the tests start. They are never installed: packages are fetched with all
# that they need and unpacked into the cache, outside the checkout, so that this needs no root, starts no service and
# touches nothing of the system. The distribution's packages bring MariaDB and PostgreSQL; Debian's current ones bring
# MySQL and a newer PostgreSQL with DocumentDB, on which FerretDB (Go) speaks MongoDB's protocol.

current_postgresql=18
ferretdb_version=2.7.0

# What stands in the cache beside the links mariadbd, mysqld, postgres-old, postgres-new and ferretdb; what is made in
# another way gets a new name.
mariadb_kept=mariadb-1
postgresql_kept=postgresql-1
current_kept=mysql-postgresql$current_postgresql-1
ferretdb_kept=ferretdb-$ferretdb_version

# beside PROGRAM NAME...: whether these are there too, in its folder, the neighbouring bin, or on the PATH.
beside() {
  folder=$(dirname -- "$1")
  shift
  for name; do
    [ -x "$folder/$name" ] || [ -x "$folder/../bin/$name" ] || have "$name" || return 1
  done
}

# The same rules as in test/helpers: a variable, the PATH, the cache.
find_mariadb() {
  if [ -n "${RCLONE_BACKUPS_TEST_MARIADB:-}" ]; then printf '%s\n' "$RCLONE_BACKUPS_TEST_MARIADB" && return; fi
  for candidate in mariadbd /usr/sbin/mariadbd /usr/libexec/mariadbd; do
    path=$(command -v $candidate 2>/dev/null) || continue
    if beside "$path" mariadb mariadb-dump mariadb-backup mariadb-install-db; then printf '%s\n' "$path" && return; fi
  done
  return 1
}

find_mysql() {
  if [ -n "${RCLONE_BACKUPS_TEST_MYSQL:-}" ]; then printf '%s\n' "$RCLONE_BACKUPS_TEST_MYSQL" && return; fi
  for candidate in mysqld /usr/sbin/mysqld; do
    path=$(command -v $candidate 2>/dev/null) || continue
    # MariaDB's server has this name too.
    case $("$path" --version 2>/dev/null) in *MariaDB* | "") continue ;; esac
    if beside "$path" mysql mysqldump; then printf '%s\n' "$path" && return; fi
  done
  return 1
}

find_postgres_old() {
  if [ -n "${RCLONE_BACKUPS_TEST_POSTGRES_OLD:-}" ]; then printf '%s\n' "$RCLONE_BACKUPS_TEST_POSTGRES_OLD" && return; fi
  for candidate in postgres /usr/lib/postgresql/*/bin/postgres; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if beside "$path" initdb psql pg_dump pg_dumpall; then printf '%s\n' "$path" && return; fi
  done
  return 1
}

# It has to have DocumentDB, so that one on the PATH is not asked.
find_postgres_new() { found postgres "${RCLONE_BACKUPS_TEST_POSTGRES_NEW:-}"; }
find_ferretdb() { found ferretdb "${RCLONE_BACKUPS_TEST_FERRETDB:-}"; }
find_mongod() { [ -n "${RCLONE_BACKUPS_TEST_MONGODB_URI:-}" ] || found mongod "${RCLONE_BACKUPS_TEST_MONGOD:-}" mongod; }

# kept NAME: whether the cache has it, and it runs here.
kept() { [ -x "$cache/$1" ] && "$cache/$1" --version >/dev/null 2>&1; }

fetches_mariadb() { ! find_mariadb >/dev/null && ! kept mariadbd; }
fetches_postgresql() { ! find_postgres_old >/dev/null && ! kept postgres-old; }
fetches_current() { ! { find_mysql >/dev/null || kept mysqld; } || ! { find_postgres_new >/dev/null || kept postgres-new; }; }
fetches_ferretdb() { ! find_mongod >/dev/null && ! find_ferretdb >/dev/null && ! [ -x "$cache/$ferretdb_kept" ]; }

# Prints which of the packages for the servers are missing, in our words.
missing_for_servers() {
  # PostgreSQL reads the system's, wherever it is itself.
  if [ ! -d /usr/share/zoneinfo ] && ! find_postgres_old >/dev/null; then printf ' tzdata'; fi
}

# Prints what has to be fetched, as find_test_tools takes it.
server_pieces() {
  if fetches_mariadb; then printf ' mariadb'; fi
  if fetches_postgresql; then printf ' postgresql'; fi
  if fetches_current; then printf ' current'; fi
  if fetches_ferretdb; then printf ' ferretdb'; fi
}

# Ends the script unless what the variables name is there.
check_named_servers() {
  for variable in MARIADB MYSQL POSTGRES_OLD POSTGRES_NEW FERRETDB MONGOD; do
    eval "program=\${RCLONE_BACKUPS_TEST_$variable:-}"
    [ -z "$program" ] || [ -x "$program" ] ||
      stop 1 "RCLONE_BACKUPS_TEST_$variable names $program, which is no program"
  done
}

fetch_mariadb() {
  unpack mariadb "" mariadb-server-core mariadb-client mariadb-backup &&
    keep mariadb "$mariadb_kept" && publish_from "$mariadb_kept" mariadbd mariadbd && kept mariadbd
}

failed_mariadb() {
  stop 1 "the distribution's MariaDB could not be fetched (see above)" \
    "name one that has mariadb-backup beside it with RCLONE_BACKUPS_TEST_MARIADB=/path/to/mariadbd"
}

fetch_postgresql() {
  unpack postgresql "" postgresql && keep postgresql "$postgresql_kept" &&
    publish_from "$postgresql_kept" postgres postgres-old && kept postgres-old
}

failed_postgresql() {
  stop 1 "the distribution's PostgreSQL could not be fetched (see above)" \
    "name one with RCLONE_BACKUPS_TEST_POSTGRES_OLD=/path/to/bin/postgres"
}

fetch_current() {
  keyring=$(debian_keyring)
  [ -n "$keyring" ] || {
    printf "Debian's keys are missing: install the package debian-archive-keyring\n"
    return 1
  }
  fallback=http://deb.debian.org/debian
  mirror=$(system_mirror)
  printf 'deb [signed-by=%s] %s sid main\n' "$keyring" "${mirror:-$fallback}" >"$work/current.list"
  unpack current "$work/current.list" mysql-server-core mysql-client-core \
    "postgresql-$current_postgresql" "postgresql-$current_postgresql-documentdb" &&
    keep current "$current_kept" && publish_from "$current_kept" mysqld mysqld &&
    publish_from "$current_kept" postgres postgres-new && kept mysqld && kept postgres-new
}

failed_current() {
  stop 1 "Debian's current MySQL and PostgreSQL could not be fetched (see above)" \
    "name others with RCLONE_BACKUPS_TEST_MYSQL=/path/to/mysqld and" \
    "RCLONE_BACKUPS_TEST_POSTGRES_NEW=/path/to/bin/postgres, which has the extension documentdb"
}

fetch_ferretdb() {
  go_works || {
    printf 'expected Go 1.21 or newer, found %s\n' "$(go version 2>&1)"
    return 1
  }
  (cd "$root/test/ferretdb" && HOME=$HOME go build -trimpath -o "$work/ferretdb.built" .) &&
    mv -f "$work/ferretdb.built" "$cache/$ferretdb_kept" && publish "$ferretdb_kept" ferretdb
}

failed_ferretdb() {
  stop 1 "FerretDB could not be built (see above)" \
    "name a server with RCLONE_BACKUPS_TEST_MONGODB_URI=mongodb://..., RCLONE_BACKUPS_TEST_MONGOD=/path/to/mongod" \
    "or RCLONE_BACKUPS_TEST_FERRETDB=/path/to/ferretdb"
}

# unpack PIECE SOURCES PACKAGE...: fetches packages and all that they need, as if nothing were installed, and unpacks
# them into $work/PIECE/root. Without SOURCES: the system's. Neither root nor the system's package database is needed.
unpack() {
  if ! have apt-get || ! have dpkg; then
    printf 'only on Debian and its kin are these servers fetched by this script\n'
    return 1
  fi
  place=$work/$1
  sources=$2
  shift 2
  rm -rf "$place"
  mkdir -p "$place/root"
  if [ -n "$sources" ]; then apt_settings "$place" "$sources"; else apt_settings "$place"; fi
  : >"$place/status"
  {
    printf 'Dir::State::status "%s/status";\n' "$place"
    printf 'Debug::NoLocking "true";\nAPT::Install-Recommends "false";\nAPT::Install-Suggests "false";\n'
  } >>"$place/apt.conf"
  # One broken third-party source must not stop what doesn't need it.
  apt-get -q -c "$place/apt.conf" update || printf 'apt-get update had errors; trying all the same\n'
  apt-get -q -c "$place/apt.conf" -y --download-only install "$@" || return 1
  for package in "$place"/archives/*.deb; do dpkg -x "$package" "$place/root" || return 1; done
}

# keep PIECE NAME: makes $work/PIECE/root a place that servers run from, and moves it to NAME in the cache.
keep() {
  final=$(cd "$cache" && pwd)/$2
  made=$work/$1/root
  trim "$made" && wrap "$made" "$final" && rm -rf "${cache:?}/$2" && mv -T "$made" "$cache/$2" && rm -rf "${work:?}/$1"
}

# Leaves servers, their clients, and libraries; compilers for JIT are most of what goes.
trim() {
  rm -rf "$1/etc" "$1/var" "$1/bin" "$1/sbin" "$1"/usr/lib/*/perl* "$1"/usr/lib/*/libLLVM* "$1"/usr/lib/llvm* \
    "$1"/usr/lib/postgresql/*/lib/bitcode "$1"/usr/lib/postgresql/*/lib/llvmjit* || return 1
  for file in "$1"/usr/share/*; do
    case ${file##*/} in mariadb* | mysql* | postgresql) ;; *) rm -rf "$file" || return 1 ;; esac
  done
  for file in "$1"/usr/bin/* "$1"/usr/sbin/*; do
    case ${file##*/} in
      mariadb* | mysql* | my_print_defaults | mbstream | resolveip) ;;
      *) rm -rf "$file" || return 1 ;;
    esac
  done
  # The package's installation would choose between versions of it.
  for file in "$1"/usr/share/postgresql/*/extension/postgis-[0-9]*.control; do
    [ ! -f "$file" ] || ln -sf "${file##*/}" "${file%-*}.control" || return 1
  done
}

# wrap ROOT FINAL: puts a script in the place of each program, which starts it with the loader and the libraries that it
# was built for, from FINAL, where ROOT is going to be.
wrap() {
  loader=$(cd "$1" && find . -type f -name 'ld-linux*.so.*' | head -n 1)
  [ -n "$loader" ] || {
    printf 'no dynamic loader in the packages\n'
    return 1
  }
  libraries=
  for folder in "$1"/lib/*-linux-gnu* "$1"/usr/lib/*-linux-gnu* "$1"/usr/lib/*-linux-gnu*/blas "$1"/usr/lib/*-linux-gnu*/lapack \
    "$1"/usr/lib/postgresql/*/lib; do
    if [ -d "$folder" ]; then libraries=$libraries:$2${folder#"$1"}; fi
  done
  for file in "$1"/usr/bin/* "$1"/usr/sbin/* "$1"/usr/lib/postgresql/*/bin/*; do
    [ -f "$file" ] && [ ! -h "$file" ] && [ "$(head -c 4 "$file")" = "$(printf '\177ELF')" ] || continue
    # PostgreSQL's programs find each other and their files from their own name, so the script has that.
    real=${file%/*}/.real/${file##*/}
    mkdir -p "${real%/*}" && mv "$file" "$real" || return 1
    printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 "$0" "%s" "$@"\n' \
      "$2/${loader#./}" "${libraries#:}" "$2${real#"$1"}" >"$file" && chmod 755 "$file" || return 1
  done
}

# publish_from KEPT PROGRAM LINK: a link in the cache to the program that is somewhere below KEPT.
publish_from() {
  for file in "$cache/$1"/usr/sbin/"$2" "$cache/$1"/usr/bin/"$2" "$cache/$1"/usr/lib/postgresql/*/bin/"$2"; do
    if [ -x "$file" ]; then publish "${file#"$cache/"}" "$3" && return; fi
  done
  printf 'no %s in the packages\n' "$2"
  return 1
}
