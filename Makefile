# volsnap.  `make help` lists the targets.

PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
FLAVOUR ?= release
V ?= 0

B := build/$(FLAVOUR)
Q := $(if $(filter 1,$(V)),,@)

# The warning set and hardening of the house (docs/design.md); each flavour adds its own.
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wconversion -Wsign-conversion -Wformat=2 -Wundef \
	-Wwrite-strings -Wpointer-arith -Wcast-qual -Wcast-align -Wvla -Wnull-dereference \
	-Wimplicit-fallthrough -Wswitch-enum -Werror
GCC_WARN := -Wlogical-op -Wduplicated-cond -Wduplicated-branches
PROBE = $(shell echo 'int main(void){return 0;}' | $(CC) $(1) -Werror -x c - -o /dev/null 2>/dev/null && echo $(1))

CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_analyze := -O1 -g -fanalyzer

HARDEN := -fstack-protector-strong -fstack-clash-protection $(call PROBE,-fcf-protection) -fPIE
BASE := -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Icore -Icli -pthread
IS_GCC := $(findstring Free Software Foundation,$(shell $(CC) --version 2>/dev/null))
ALL_CFLAGS = $(BASE) $(WARN) $(if $(IS_GCC),$(GCC_WARN)) $(HARDEN) $(CFLAGS_$(FLAVOUR)) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -pthread $(LDFLAGS_$(FLAVOUR)) $(LDFLAGS)
LIBS := -larchive -lsodium -lzstd -linih -ljansson

CORE_SRC := $(wildcard core/*/*.c)
CLI_SRC := $(wildcard cli/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
CORE_OBJ := $(CORE_SRC:%.c=$(B)/%.o)
CLI_OBJ := $(CLI_SRC:%.c=$(B)/%.o)
# Helpers that several unit tests share.
UNIT_KIT := $(patsubst %.c,$(B)/%.o,$(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c)))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)

all: $(B)/volsnap

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@$(if $(filter 0,$(V)),echo "  CC $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/volsnap: $(CLI_OBJ) $(CORE_OBJ)
	@$(if $(filter 0,$(V)),echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

# One unit test: make build/release/unit/test_wire && build/release/unit/test_wire
$(B)/unit/%: $(B)/tests/unit/%.o $(UNIT_KIT) $(CORE_OBJ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -lcmocka -o $@

unit: $(UNIT_BIN)
objects: $(CORE_OBJ) $(CLI_OBJ)

flags:
	@echo "$(CC) $(ALL_CFLAGS)"
	@echo "ld $(ALL_LDFLAGS) $(LIBS)"

deps:
	@tests/deps.sh

# All tests; installs what is missing first.
check: deps
	@tests/check.sh check

# The long tests: every system call, 20 GB, a million files.
faults: deps
	@tests/check.sh faults

# volsnap beside its peers, under an hour: make bench BENCH="--scale 0.1 --json FILE"
bench:
	@tests/deps.sh bench
	@$(MAKE) -s all
	@tests/bench/bench.py $(B)/volsnap $(BENCH)

# The main job, done on real data in a temporary directory.
demo:
	@tests/deps.sh build
	@$(MAKE) -s all
	@tests/demo.sh

install: all
	install -D -m 755 $(B)/volsnap $(DESTDIR)$(PREFIX)/bin/volsnap
	install -D -m 644 docs/man/volsnap.1 $(DESTDIR)$(PREFIX)/share/man/man1/volsnap.1
	install -D -m 644 docs/man/volsnap.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/volsnap.conf.5
	install -D -m 644 conf/volsnap.conf $(DESTDIR)$(PREFIX)/share/doc/volsnap/volsnap.conf

clean:
	rm -rf build

help:
	@echo "make            build volsnap"
	@echo "make check      all tests, every flavour (under 10 minutes)"
	@echo "make demo       a snapshot and a restore of real data"
	@echo "make faults     the long tests"
	@echo "make bench      speed and size beside restic and tar|zstd|age (BENCH=\"--scale 0.1\")"
	@echo "make deps       install what is missing (Debian, Ubuntu), or name it"
	@echo "make install    DESTDIR= PREFIX="

.PHONY: all unit objects flags deps check faults bench demo install clean help
.PRECIOUS: $(B)/tests/unit/%.o
-include $(shell find $(B) -name '*.d' 2>/dev/null)
