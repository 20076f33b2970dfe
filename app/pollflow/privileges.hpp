#pragma once

#include <optional>
#include <string>

namespace pollflow::app {

// What a process that reads anything that anyone sends may do, besides that.
//
//   start                       ports and files open                      end
//   refuse_new_privileges() ─────────> StepDown::step_down() ──> packets ──>
//   root, if it was started so         the user, no capability but those kept,
//                                      system calls by a list (seccomp.hpp)

// At the very start, before there is a second thread: no program that is run, nor anything else,
// gives this process more than it has (PR_SET_NO_NEW_PRIVS).
void refuse_new_privileges() noexcept;

// No memory of this process, with the keys that it draws, goes into a core file, and only root may
// look into it (PR_SET_DUMPABLE).
void keep_out_of_core_files() noexcept;

// How to go on once everything that takes privileges is open.
class StepDown {
 public:
  // Looks `user` up, if there is one; throws Failure (usage) when there is no such user.
  explicit StepDown(const std::string& user, bool seccomp);

  // In every thread of this process: becomes the user, when root; gives up all capabilities, but
  // this thread keeps CAP_NET_ADMIN when `keeps_net_admin`; then allows only the system calls that
  // are listed. Throws Failure when the kernel refuses. Call it while no lcore works yet. Answers
  // how it goes on, in words: "user nobody, no capabilities, system calls filtered".
  std::string step_down(bool keeps_net_admin) const;

 private:
  struct User {
    std::string name;
    unsigned uid;
    unsigned gid;
  };

  void become_user(bool keeps_net_admin) const;

  std::optional<User> user_;
  bool seccomp_;
};

}  // namespace pollflow::app
