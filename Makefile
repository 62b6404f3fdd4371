# A thin front: it installs what is missing and calls meson. BUILD=dir takes another build folder,
# SETUP="-Dunity=on" more options for a new one.
BUILD ?= build
SETUP ?=
export PODLANE_BUILD = $(abspath $(BUILD))

.PHONY: all build deps demo test tidy hooks bench bench-pods microbench deb image install clean

all: build

deps:
	@scripts/deps.sh build nic test demo

$(BUILD)/build.ninja: | deps
	meson setup $(BUILD) $(SETUP)

build: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# The story on two nodes; KEEP=1 leaves it running; CLUSTER=1: by kubectl, podlane-kube and podlane-cni,
# with Kubernetes' own programs if the PATH has all of them.
demo: $(BUILD)/build.ninja
	ninja -C $(BUILD) podlaned podlanectl podlane-cni podlane-kube
	@scripts/demo$(if $(CLUSTER),_cluster).py $(if $(KEEP),--keep)

# All tests; QUICK=1 leaves out the sanitizers, the fuzzers and the demo.
test: $(BUILD)/build.ninja
	@scripts/test.py $(if $(QUICK),--quick)

# clang-tidy on what differs from BASE (default: origin/main, else the last commit).
tidy: $(BUILD)/build.ninja
	@scripts/tidy.sh $(BASE)

# Checks of a commit's message, before it is made.
hooks:
	@git config core.hooksPath scripts/git
	@echo "git runs the hooks of scripts/git"

# podlaned on emulated PCI NICs in QEMU; ARGS="e1000e/vfio-pci" runs one of the cases.
nic: $(BUILD)/build.ninja
	@scripts/deps.sh guest
	ninja -C $(BUILD) podlaned podlanectl
	@tests/nic/run.py $(ARGS)

# podlaned against testpmd, as tables; ARGS="--quick", ARGS="--only clusterip" ...
bench: $(BUILD)/build.ninja
	@scripts/deps.sh bench
	ninja -C $(BUILD) podlaned
	@bench/run.py $(ARGS)

# Pods by way of podlaned beside the kernel's own bridge and veths; ARGS="--only TCP" ...
bench-pods: $(BUILD)/build.ninja
	@scripts/deps.sh pods
	ninja -C $(BUILD) podlaned podlanectl
	@bench/kernel_pods.py $(ARGS)

# The stages and the flow table alone, inside one process.
microbench: $(BUILD)/build.ninja
	ninja -C $(BUILD)
	meson test -C $(BUILD) --benchmark --verbose

# Debian packages in $(BUILD)/deb, of what is built there.
deb: $(BUILD)/build.ninja
	@scripts/deps.sh package
	@scripts/deb.sh $(abspath $(BUILD))

# The same as an image, $(BUILD)/podlane-image.tar, without a container builder.
image: deb
	@scripts/image.py $(abspath $(BUILD))

install: build
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-fuzz
