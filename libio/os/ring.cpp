// Batches through liburing. What the ring did not do, for whatever reason, plain calls do afterwards.
#include "libio/os/ring.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <algorithm>

#include "libio/os/sys.h"

namespace ocsync::io {
namespace {

FileInfo info_of(const struct statx& x) {
  const auto time = [](const statx_timestamp& t) { return FileTime{t.tv_sec, t.tv_nsec}; };
  FileInfo i;
  i.mode = x.stx_mode;
  i.nlink = x.stx_nlink;
  i.uid = x.stx_uid;
  i.gid = x.stx_gid;
  i.size = x.stx_size;
  i.blocks = x.stx_blocks;
  i.dev = makedev(x.stx_dev_major, x.stx_dev_minor);
  i.ino = x.stx_ino;
  i.rdev = makedev(x.stx_rdev_major, x.stx_rdev_minor);
  i.mtime = time(x.stx_mtime);
  i.atime = time(x.stx_atime);
  i.ctime = time(x.stx_ctime);
  return i;
}

}  // namespace

struct Ring::Impl {
  io_uring ring{};
  RingManner manner;
  bool made = false;
  bool broken = false;
  unsigned file_slots = 0;  // of the ring's own table of files
  std::vector<MutableBytes> registered;
  ~Impl() {
    if (made) ::io_uring_queue_exit(&ring);
  }

  int submit_and_wait() {
    if (sys::ring_fault()) return -errno;
    if (manner.poll_us > 0) {
      const int submitted = ::io_uring_submit(&ring);
      if (submitted < 0) return submitted;
      const int64_t until = sys::clock_us() + manner.poll_us;
      do {
        if (::io_uring_cq_ready(&ring) > 0) return submitted;
      } while (sys::clock_us() < until);
    }
    return ::io_uring_submit_and_wait(&ring, 1);
  }

  // Runs `count` items of `steps` operations each, at most manner.entries in flight: prepare(i, step, sqe) fills one
  // in, complete(i, step, result) takes its outcome. The steps of an item are submitted together. Operations for which
  // complete() was not called were not carried out.
  template <class Prepare, class Complete>
  void run(size_t count, unsigned steps, Prepare&& prepare, Complete&& complete) {
    const size_t operations = count * steps;
    size_t begun = 0;
    size_t ended = 0;
    if (manner.metrics != nullptr && !broken) IoMetrics::add(manner.metrics->batches);
    while (ended < operations) {
      while (!broken && begun < operations && begun - ended + steps <= manner.entries &&
             ::io_uring_sq_space_left(&ring) >= steps) {
        for (unsigned step = 0; step < steps; ++step, ++begun) {
          io_uring_sqe* sqe = ::io_uring_get_sqe(&ring);
          prepare(begun / steps, step, sqe);
          ::io_uring_sqe_set_data64(sqe, begun);
        }
      }
      if (broken && begun <= ended) break;
      if (manner.metrics != nullptr) IoMetrics::raise(manner.metrics->depth, begun - ended);
      io_uring_cqe* cqe = nullptr;
      // Whatever is under way uses the caller's memory, so even a ring that stopped taking work is waited for. What it
      // never took will not complete, and must not be submitted later.
      const int submitted = broken ? ::io_uring_wait_cqe(&ring, &cqe) : submit_and_wait();
      if (!broken && submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
        broken = true;
        if (manner.metrics != nullptr) IoMetrics::add(manner.metrics->ring_refusals);
        // A kernel thread may still take what it was given.
        if (!manner.sqpoll) begun -= std::min<size_t>(begun - ended, ::io_uring_sq_ready(&ring));
      }
      while (ended < begun && ::io_uring_peek_cqe(&ring, &cqe) == 0) {
        const uint64_t which = ::io_uring_cqe_get_data64(cqe);
        complete(static_cast<size_t>(which / steps), static_cast<unsigned>(which % steps), cqe->res);
        ::io_uring_cqe_seen(&ring, cqe);
        ++ended;
      }
    }
    if (manner.metrics != nullptr) IoMetrics::add(manner.metrics->operations, ended);
  }

  // The number of the registered buffer that holds `bytes`; -1: none.
  int registered_for(MutableBytes bytes) const {
    for (size_t i = 0; i < registered.size(); ++i)
      if (bytes.data() >= registered[i].data() &&
          bytes.data() + bytes.size() <= registered[i].data() + registered[i].size())
        return static_cast<int>(i);
    return -1;
  }
};

Ring::Ring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ring::Ring(Ring&&) noexcept = default;
Ring& Ring::operator=(Ring&&) noexcept = default;
Ring::~Ring() = default;

bool Ring::works() const { return !impl_->broken; }

Result<Ring> Ring::create(const RingManner& manner) {
  auto impl = std::make_unique<Impl>();
  impl->manner = manner;
  // The first is for kernels since 6.1: completions are then handled when we ask for them and not by interrupting us.
  const unsigned modern = manner.sqpoll ? IORING_SETUP_SQPOLL : IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN;
  const unsigned plain = manner.sqpoll ? IORING_SETUP_SQPOLL : 0;
  int error = -EINVAL;
  for (const unsigned flags : {modern, plain}) {
    error = sys::ring_fault() ? -errno : ::io_uring_queue_init(manner.entries, &impl->ring, flags);
    if (error != -EINVAL) break;
  }
  if (error < 0) return fail(Fault::kUnsupported, "io_uring is not to be had", -error);
  impl->made = true;
  io_uring_probe* probe = ::io_uring_get_probe_ring(&impl->ring);
  const bool able = probe != nullptr && ::io_uring_opcode_supported(probe, IORING_OP_STATX) != 0 &&
                    ::io_uring_opcode_supported(probe, IORING_OP_READ) != 0;
  ::io_uring_free_probe(probe);
  if (!able) return fail(Fault::kUnsupported, "io_uring lacks operations");
  return Ring(std::move(impl));
}

Status Ring::register_buffers(std::span<const MutableBytes> buffers) {
  std::vector<iovec> pieces;
  for (const MutableBytes b : buffers) pieces.push_back({b.data(), b.size()});
  const int error = sys::ring_fault() ? -errno
                                      : ::io_uring_register_buffers(&impl_->ring, pieces.data(),
                                                                    static_cast<unsigned>(pieces.size()));
  if (error < 0) return fail(Fault::kUnsupported, "buffers cannot be registered", -error);
  impl_->registered.assign(buffers.begin(), buffers.end());
  return {};
}

std::vector<Result<FileInfo>> Ring::info_batch(const Dir& dir, std::span<const Leaf> names) {
  // EINPROGRESS marks what the ring has not answered.
  std::vector<Result<FileInfo>> all(names.size(), fail(Error(EINPROGRESS)));
  std::vector<struct statx> raw(names.size());
  impl_->run(
      names.size(), 1,
      [&](size_t i, unsigned, io_uring_sqe* sqe) {
        ::io_uring_prep_statx(sqe, dir.fd(), names[i].c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
                              &raw[i]);
      },
      [&](size_t i, unsigned, int result) {
        if (result < 0)
          all[i] = fail(Error(-result));
        else
          all[i] = info_of(raw[i]);
      });
  for (size_t i = 0; i < names.size(); ++i)
    if (!all[i] && (all[i].error().sys == EINPROGRESS || all[i].error().sys == EAGAIN || all[i].error().sys == EINTR))
      all[i] = dir.info(names[i]);
  return all;
}

void Ring::read_batch(std::span<Read> reads) {
  constexpr size_t kMostPieces = 16;
  constexpr size_t kMostBytes = size_t{1} << 30;
  std::vector<size_t> done(reads.size(), 0);
  std::vector<bool> answered(reads.size(), false);
  std::vector<iovec> pieces;
  std::vector<size_t> groups;  // index of the first read of each
  pieces.reserve(reads.size());
  for (size_t i = 0; i < reads.size(); ++i) {
    const Read& r = reads[i];
    const bool follows = i > 0 && i - groups.back() < kMostPieces && reads[i - 1].file == r.file &&
                         reads[i - 1].offset + reads[i - 1].into.size() == r.offset &&
                         r.into.size() <= kMostBytes / kMostPieces;
    if (!follows) groups.push_back(i);
    pieces.push_back({r.into.data(), std::min(r.into.size(), kMostBytes)});
  }
  const auto end_of = [&](size_t group) { return group + 1 < groups.size() ? groups[group + 1] : reads.size(); };
  impl_->run(
      groups.size(), 1,
      [&](size_t g, unsigned, io_uring_sqe* sqe) {
        const size_t first = groups[g];
        const Read& r = reads[first];
        const unsigned count = static_cast<unsigned>(end_of(g) - first);
        const int fixed = count == 1 ? impl_->registered_for(r.into) : -1;
        if (fixed >= 0)
          ::io_uring_prep_read_fixed(sqe, r.file->fd(), r.into.data(), static_cast<unsigned>(pieces[first].iov_len),
                                     r.offset, fixed);
        else
          ::io_uring_prep_readv(sqe, r.file->fd(), &pieces[first], count, r.offset);
      },
      [&](size_t g, unsigned, int result) {
        if (result < 0) return;
        size_t left = static_cast<size_t>(result);
        for (size_t i = groups[g]; i < end_of(g); ++i) {
          done[i] = std::min(left, reads[i].into.size());
          left -= done[i];
          // Nothing at all at the beginning of a group says that the file ends there; behind a short piece it says
          // nothing.
          answered[i] = i == groups[g] || done[i] > 0;
        }
      });
  for (size_t i = 0; i < reads.size(); ++i) {
    Read& r = reads[i];
    if (impl_->manner.metrics != nullptr) IoMetrics::add(impl_->manner.metrics->ring, done[i]);
    r.outcome = done[i];
    if (done[i] == r.into.size() || (answered[i] && done[i] == 0)) continue;
    // Cut short or refused: a plain call finishes it, or says what is wrong.
    const Result<size_t> rest = r.file->read_full_at(r.into.subspan(done[i]), r.offset + done[i]);
    if (rest)
      r.outcome = done[i] + *rest;
    else
      r.outcome = fail(rest.error());
  }
}

void Ring::stage_batch(const Dir& dir, std::span<Stage> files) {
  enum Step : unsigned { kLook, kOpen, kRead, kClose, kSteps };
  struct State {
    struct statx raw;
    int looked = -EINPROGRESS, opened = -EINPROGRESS, read = -EINPROGRESS;
  };
  std::vector<State> states(files.size());
  if (impl_->file_slots == 0 && !impl_->broken &&
      ::io_uring_register_files_sparse(&impl_->ring, impl_->manner.entries) == 0)
    impl_->file_slots = impl_->manner.entries;
  // Without a table of files (kernels before 5.19), or with too small a ring, plain calls below do it all.
  const unsigned slots = impl_->file_slots / kSteps;
  for (size_t from = 0; slots > 0 && from < files.size(); from += slots) {
    // One round fills the table once, so that no slot is asked for before it was closed.
    const size_t count = std::min<size_t>(slots, files.size() - from);
    impl_->run(
        count, kSteps,
        [&](size_t i, unsigned step, io_uring_sqe* sqe) {
          Stage& file = files[from + i];
          const int slot = static_cast<int>(i);
          if (step == kLook) {
            ::io_uring_prep_statx(sqe, dir.fd(), file.name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
                                  STATX_BASIC_STATS, &states[from + i].raw);
          } else if (step == kOpen) {
            ::io_uring_prep_openat_direct(sqe, dir.fd(), file.name.c_str(),
                                          O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                                          static_cast<unsigned>(slot));
            sqe->flags |= IOSQE_IO_LINK;  // no read if it could not be opened
          } else if (step == kRead) {
            ::io_uring_prep_read(sqe, slot, file.into.data(),
                                 static_cast<unsigned>(std::min<size_t>(file.into.size(), 1u << 30)), 0);
            sqe->flags |= IOSQE_FIXED_FILE | IOSQE_IO_HARDLINK;  // closed whatever the read says
          } else {
            ::io_uring_prep_close_direct(sqe, static_cast<unsigned>(slot));
          }
        },
        [&](size_t i, unsigned step, int result) {
          State& state = states[from + i];
          (step == kLook ? state.looked : step == kOpen ? state.opened : step == kRead ? state.read : result) = result;
        });
  }
  for (size_t i = 0; i < files.size(); ++i) {
    Stage& file = files[i];
    const State& state = states[i];
    file.info = state.looked == 0 ? Result<FileInfo>(info_of(state.raw)) : dir.info(file.name);
    const size_t done = state.opened == 0 && state.read > 0 ? static_cast<size_t>(state.read) : 0;
    if (impl_->manner.metrics != nullptr) IoMetrics::add(impl_->manner.metrics->ring, done);
    file.outcome = done;
    if (state.opened == 0 && (done == file.into.size() || state.read == 0)) continue;
    // Short or refused: a plain call says what there is. A short one at the known end needs no second look.
    if (state.opened == 0 && file.info && done == file.info->size) continue;
    const Result<File> open = dir.open_read(file.name);
    if (!open) {
      file.outcome = fail(open.error());
      continue;
    }
    const Result<size_t> rest = open->read_full_at(file.into.subspan(done), done);
    if (rest)
      file.outcome = done + *rest;
    else
      file.outcome = fail(rest.error());
  }
}

Result<size_t> Ring::send(int fd, Bytes bytes) {
  int outcome = -EINPROGRESS;
  impl_->run(
      1, 1,
      [&](size_t, unsigned, io_uring_sqe* sqe) {
        ::io_uring_prep_send(sqe, fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      },
      [&](size_t, unsigned, int result) { outcome = result; });
  if (outcome >= 0) return static_cast<size_t>(outcome);
  if (outcome == -EINPROGRESS || outcome == -EINTR) return sys::write(fd, bytes);
  return fail(Error(-outcome));
}

Result<size_t> Ring::receive(int fd, MutableBytes into) {
  int outcome = -EINPROGRESS;
  impl_->run(
      1, 1, [&](size_t, unsigned, io_uring_sqe* sqe) { ::io_uring_prep_recv(sqe, fd, into.data(), into.size(), 0); },
      [&](size_t, unsigned, int result) { outcome = result; });
  if (outcome >= 0) return static_cast<size_t>(outcome);
  if (outcome == -EINPROGRESS || outcome == -EINTR) return sys::read(fd, into);
  return fail(Error(-outcome));
}

}  // namespace ocsync::io
