// Batches through liburing. What the ring did not do, for whatever reason, plain calls do afterwards.
#include "libio/os/ring.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/sysmacros.h>

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
  unsigned entries = 0;
  bool broken = false;
  ~Impl() {
    if (entries > 0) ::io_uring_queue_exit(&ring);
  }

  // Runs `count` operations, at most `entries` at a time: prepare(i, sqe) fills one in, complete(i, result) takes its
  // outcome. Operations for which complete() was not called were not carried out.
  template <class Prepare, class Complete>
  void run(size_t count, Prepare&& prepare, Complete&& complete) {
    size_t begun = 0;
    size_t ended = 0;
    while (ended < count) {
      while (!broken && begun < count && begun - ended < entries) {
        io_uring_sqe* sqe = ::io_uring_get_sqe(&ring);
        if (sqe == nullptr) break;
        prepare(begun, sqe);
        ::io_uring_sqe_set_data64(sqe, begun);
        ++begun;
      }
      if (broken && begun == ended) return;
      const int submitted = ::io_uring_submit_and_wait(&ring, 1);
      // Whatever is under way uses the caller's memory, so even a ring that stopped taking work is waited for; what it
      // never took will not complete.
      if (submitted < 0 && submitted != -EINTR && submitted != -EAGAIN && submitted != -EBUSY) {
        broken = true;
        begun -= std::min<size_t>(begun - ended, ::io_uring_sq_ready(&ring));
      }
      io_uring_cqe* cqe;
      while (ended < begun && ::io_uring_peek_cqe(&ring, &cqe) == 0) {
        complete(static_cast<size_t>(::io_uring_cqe_get_data64(cqe)), cqe->res);
        ::io_uring_cqe_seen(&ring, cqe);
        ++ended;
      }
    }
  }
};

Ring::Ring(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ring::Ring(Ring&&) noexcept = default;
Ring& Ring::operator=(Ring&&) noexcept = default;
Ring::~Ring() = default;

Result<Ring> Ring::create(unsigned entries) {
  auto impl = std::make_unique<Impl>();
  // The first is for kernels since 6.1: completions are then handled when we ask for them and not by interrupting us.
  int error = -EINVAL;
  for (const unsigned flags : {IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN, 0u}) {
    error = ::io_uring_queue_init(entries, &impl->ring, flags);
    if (error != -EINVAL) break;
  }
  if (error < 0) return fail(Fault::kUnsupported, "io_uring is not to be had", -error);
  impl->entries = entries;
  io_uring_probe* probe = ::io_uring_get_probe_ring(&impl->ring);
  const bool able = probe != nullptr && ::io_uring_opcode_supported(probe, IORING_OP_STATX) != 0 &&
                    ::io_uring_opcode_supported(probe, IORING_OP_READ) != 0;
  ::io_uring_free_probe(probe);
  if (!able) return fail(Fault::kUnsupported, "io_uring lacks operations");
  return Ring(std::move(impl));
}

std::vector<Result<FileInfo>> Ring::info_batch(const Dir& dir, std::span<const Leaf> names) {
  // EINPROGRESS marks what the ring has not answered.
  std::vector<Result<FileInfo>> all(names.size(), fail(Error(EINPROGRESS)));
  std::vector<struct statx> raw(names.size());
  impl_->run(
      names.size(),
      [&](size_t i, io_uring_sqe* sqe) {
        ::io_uring_prep_statx(sqe, dir.fd(), names[i].c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &raw[i]);
      },
      [&](size_t i, int result) {
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
  std::vector<size_t> done(reads.size(), 0);
  std::vector<bool> answered(reads.size(), false);
  impl_->run(
      reads.size(),
      [&](size_t i, io_uring_sqe* sqe) {
        const Read& r = reads[i];
        ::io_uring_prep_read(sqe, r.file->fd(), r.into.data(),
                             static_cast<unsigned>(std::min<size_t>(r.into.size(), 1u << 30)), r.offset);
      },
      [&](size_t i, int result) {
        answered[i] = result >= 0;
        if (result >= 0) done[i] = static_cast<size_t>(result);
      });
  for (size_t i = 0; i < reads.size(); ++i) {
    Read& r = reads[i];
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

}  // namespace ocsync::io
