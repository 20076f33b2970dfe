#include "privileges.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "every_thread.hpp"
#include "failure.hpp"
#include "system_calls.hpp"

namespace pollflow::app {
namespace {

constexpr uint32_t net_admin = uint32_t{1} << CAP_NET_ADMIN;

[[noreturn]] void fail(std::string_view step) {
  throw Failure(ExitCode::failed,
                fmt::format("giving up privileges: {} failed ({}); what pollflow would go on with "
                            "is more than it needs, so it does not",
                            step, std::strerror(errno)));
}

using CapabilitySets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

// The calling thread's. Libraries that wrap capget(2) and capset(2) allocate; as every thread is to
// make these calls in a signal handler, they are made bare.
bool get_capabilities(CapabilitySets& sets) noexcept {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capget, &header, sets.data()) == 0;
}

// These, and no others, permitted and in effect. Who holds just these makes no call that changes
// anything: capset(2) is refused to units of systemd whose filter leaves out @privileged.
bool set_capabilities(uint32_t first_32) noexcept {
  CapabilitySets held{};
  CapabilitySets wanted{};
  wanted[0].permitted = wanted[0].effective = first_32;
  if (get_capabilities(held) && std::memcmp(&held, &wanted, sizeof(held)) == 0) return true;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  return syscall(SYS_capset, &header, wanted.data()) == 0;
}

bool has_net_admin() noexcept {
  CapabilitySets held{};
  return get_capabilities(held) && (held[0].permitted & net_admin) != 0;
}

std::string who() {
  const uid_t uid = geteuid();
  if (uid == 0) return "root still (--user NAME changes that)";
  const passwd* entry = getpwuid(uid);
  return entry != nullptr ? fmt::format("user {}", entry->pw_name) : fmt::format("uid {}", uid);
}

// Ambient ones go with those that are permitted (capabilities(7)).
bool give_up_capabilities() noexcept {
  return set_capabilities(0);
}

}  // namespace

void refuse_new_privileges() noexcept {
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void keep_out_of_core_files() noexcept {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

StepDown::StepDown(const std::string& user, bool seccomp) : seccomp_(seccomp) {
  if (user.empty()) return;
  const passwd* entry = getpwnam(user.c_str());
  if (entry == nullptr) {
    throw Failure(
        ExitCode::usage,
        fmt::format("--user: there is no user {}; give one that getent passwd knows", user));
  }
  user_ = User{.name = user, .uid = entry->pw_uid, .gid = entry->pw_gid};
}

// The C library has every thread change its ids. The capabilities of the others go with root; this
// thread may keep one.
void StepDown::become_user(bool keeps_net_admin) const {
  if (!user_ || geteuid() == user_->uid) return;
  if (geteuid() != 0) {
    throw Failure(ExitCode::no_permission,
                  fmt::format("--user {}: only root can become another user; start pollflow as "
                              "root, or as {} without --user",
                              user_->name, user_->name));
  }
  if (keeps_net_admin) prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (initgroups(user_->name.c_str(), user_->gid) != 0) fail("setting the groups");
  if (setresgid(user_->gid, user_->gid, user_->gid) != 0) fail("setting the group");
  if (setresuid(user_->uid, user_->uid, user_->uid) != 0) fail("setting the user");
}

std::string StepDown::step_down(bool keeps_net_admin) const {
  const bool keeps = keeps_net_admin && has_net_admin();
  const bool was_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
  become_user(keeps);
  // Becoming another user changes it to what fs.suid_dumpable says, which may be more.
  if (!was_dumpable) keep_out_of_core_files();
  if (!in_every_other_thread(give_up_capabilities)) fail("giving up a thread's capabilities");
  if (!set_capabilities(keeps ? net_admin : 0)) fail("giving up capabilities");
  const std::string name = who();
  const bool filtered = seccomp_ && filter_system_calls();
  return fmt::format(
      "{}, {}, {}", name,
      keeps ? "CAP_NET_ADMIN for the interfaces, no other capability" : "no capabilities",
      filtered ? "system calls filtered" : "system calls not filtered");
}

}  // namespace pollflow::app
