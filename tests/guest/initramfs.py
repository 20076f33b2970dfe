"""Makes the guest's initramfs: busybox, /init, the modules of vfio-pci, and a dynamically linked program with
its libraries, its loader and the few poll-mode drivers that the guest's cards need. No root, no disk image."""

import gzip
import lzma
import os
import pathlib
import re
import stat
import subprocess

INIT = pathlib.Path(__file__).with_name("init")
PLUGINS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_vmxnet3")
MODULES = ("vfio_iommu_type1", "vfio-pci")
FOLDERS = ("bin", "dev", "modules", "proc", "sys", "tmp", "usr/bin", "var")


class Archive:
    """Files by name in the form that the kernel unpacks: cpio, "newc"."""

    def __init__(self):
        self.entries = {}       # name without its leading slash -> mode, contents

    def folder(self, name):
        """With all folders above it."""
        for part in [*reversed(pathlib.PurePath(name).parents[:-1]), name]:
            self.entries.setdefault(str(part), (stat.S_IFDIR | 0o755, b""))

    def file(self, name, contents, mode=0o755):
        self.folder(os.path.dirname(name))
        self.entries[name] = (stat.S_IFREG | mode, contents)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self.entries[name] = (stat.S_IFLNK | 0o777, target.encode())

    def write(self, path):
        with gzip.open(path, "wb", compresslevel=1) as out:
            for number, (name, (mode, contents)) in enumerate(sorted(self.entries.items()), 1):
                write_entry(out, number, name, mode, contents)
            write_entry(out, 0, "TRAILER!!!", 0, b"")


def write_entry(out, number, name, mode, contents):
    encoded = name.encode() + b"\0"
    links = 1
    fields = (number, mode, 0, 0, links, 0, len(contents), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    for part in (header, contents):
        out.write(part + bytes(-len(part) % 4))


def make(path, program, packages):
    """Writes the initramfs to path. program, at any place here, is /usr/bin/NAME in the guest."""
    archive = Archive()
    for folder in FOLDERS:
        archive.folder(folder)
    archive.file("init", INIT.read_bytes())
    archive.file("bin/busybox", packages.busybox.read_bytes())
    archive.file("usr/bin/" + os.path.basename(program), pathlib.Path(program).read_bytes())
    add_modules(archive, packages.modules)
    libraries = libraries_of(program)
    for plugin in PLUGINS:
        file = os.path.join(plugin_folder(libraries), "librte_%s.so" % plugin)
        add_with_links(archive, file)
        libraries |= libraries_of(file)
    for library in sorted(libraries):
        add_with_links(archive, library)
    archive.write(path)


# --- the program ---

def plugin_folder(libraries):
    """Where EAL looks for poll-mode drivers, here and in the guest; dpdk-pmdinfo finds it in the same way."""
    eal, = (library for library in libraries if "/librte_eal.so" in library)
    return re.search(rb"DPDK_PLUGIN_PATH=([^\0]+)", pathlib.Path(eal).read_bytes())[1].decode()


def libraries_of(program):
    """Paths of what is loaded with it, the loader among them."""
    listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    if "not found" in listed:
        raise RuntimeError("%s: ldd finds not all of its libraries:\n%s" % (program, listed))
    return set(re.findall(r"(/\S+) \(0x", listed))


def add_with_links(archive, path):
    """The file at its own place, and the links that lead to it: a library loaded by two names is one."""
    top = os.path.join("/", pathlib.PurePath(path).parts[1])
    if os.path.islink(top):                     # /lib and /lib64 where /usr is merged
        archive.link(top[1:], os.readlink(top))
    path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if os.path.islink(path):
        archive.link(path[1:], os.readlink(path))
        add_with_links(archive, os.path.join(os.path.dirname(path), os.readlink(path)))
    else:
        archive.file(path[1:], pathlib.Path(path).read_bytes())


# --- kernel modules ---

def add_modules(archive, folder):
    """MODULES and what they depend on; the file modules/order says in which order to load them."""
    found = {path.name.partition(".ko")[0].replace("-", "_"): path for path in folder.rglob("*.ko*")}
    order = []

    def add(name):
        if name in order:
            return
        contents = read_module(found[name])
        for needed in re.search(rb"\0depends=([^\0]*)\0", contents)[1].decode().split(","):
            if needed:
                add(needed.replace("-", "_"))
        archive.file("modules/" + name + ".ko", contents)
        order.append(name)

    for module in MODULES:
        add(module.replace("-", "_"))
    archive.file("modules/order", "".join("/modules/%s.ko\n" % name for name in order).encode())


def read_module(path):
    contents = path.read_bytes()
    return lzma.decompress(contents) if path.suffix == ".xz" else contents
