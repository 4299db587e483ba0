// Users, groups, the terminal, the pool and hints: what can be checked without owning the machine.
#include "libio/os/identity.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "libio/os/pool.h"
#include "libio/os/read_ahead.h"
#include "libio/os/terminal.h"
#include "tests/unit/os/scratch.h"

using namespace ocsync;
using namespace ocsync::io;

TEST_CASE("identity: names and ids of users and groups") {
  CHECK(user_name(0) == "root");
  CHECK(user_id("root") == 0u);
  CHECK(group_id(*group_name(0)) == 0u);
  CHECK(account("root")->uid == 0);
  CHECK(account(0)->home == account("root")->home);
  CHECK(!user_id("ocsync no such user"));
  CHECK(!group_id("ocsync no such group"));
  CHECK(!user_name(4'000'000'001));
  CHECK(!group_name(4'000'000'001));
  CHECK(!account(4'000'000'001));
  CHECK(effective_user() == ::geteuid());
  CHECK(std::ranges::count(need(own_groups()), effective_group()) >= 1);
  const auto groups = need(groups_of("root", 4'000'000));
  CHECK(std::ranges::count(groups, 4'000'000u) == 1);
  CHECK(!host_name().empty());
}

TEST_CASE("identity: the file mask is read without changing it") {
  const uint32_t before = file_mask();
  set_file_mask(027);
  CHECK(file_mask() == 027);
  CHECK(file_mask() == 027);
  set_file_mask(before);
}

TEST_CASE("identity: what only root may do is refused to others") {
  if (effective_user() == 0) return;
  CHECK(sys_of(become_user(0)) == EPERM);
  CHECK(sys_of(set_groups({})) == EPERM);
}

TEST_CASE("terminal: a pipe is none") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const Fd a(ends[0]);
  const Fd b(ends[1]);
  CHECK(!is_terminal(a.get()));
  CHECK(!terminal_width(a.get()));
}

TEST_CASE("pool: every task runs, in bounds, and destruction waits for them") {
  std::atomic<int> done{0};
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  {
    Pool pool(3, 4);
    CHECK(pool.threads() == 3);
    for (int i = 0; i < 500; ++i)
      pool.submit([&, owned = std::make_unique<int>(i)] {
        const int now = ++at_once;
        int seen = most.load();
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --at_once;
        done += *owned >= 0;
      });
    pool.wait_idle();
    CHECK(done == 500);
    for (int i = 0; i < 50; ++i) pool.submit([&] { ++done; });
  }
  CHECK(done == 550);
  CHECK(most <= 3);
}

TEST_CASE("pool: a full queue refuses without taking") {
  std::atomic<bool> go{false};
  std::atomic<bool> started{false};
  std::atomic<int> done{0};
  Pool pool(1, 1);
  pool.submit([&] {
    started = true;
    started.notify_all();
    go.wait(false);
  });
  started.wait(false);
  pool.submit([&] { ++done; });
  Pool::Task task = [&] { ++done; };
  CHECK(!pool.try_submit(task));
  CHECK(task);
  go = true;
  go.notify_all();
  pool.wait_idle();
  CHECK(pool.try_submit(task));
  pool.wait_idle();
  CHECK(done == 2);
}

TEST_CASE("read ahead: hints leave the content alone") {
  Scratch s;
  const std::string text = pattern(300'000);
  s.write("f", text);
  expect_file(s.dir, leaf("f"), text.size());
  expect_file(s.dir, leaf("missing"), 10);
  const File file = need(s.dir.open_read(leaf("f")));
  ReadAhead ahead(file, text.size(), {.drop_behind = true});
  for (uint64_t at = 0; at <= 100'000'000; at += 10'000'000) ahead.reached(at);
  CHECK(read_all(file) == text);
}
