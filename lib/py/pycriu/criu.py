# SPDX-License-Identifier: LGPL-2.1-only
"""Requests to criu: over the socket of a service, a connected socket, or to a program that is started for each."""
import errno
import fcntl
import os
import signal
import socket

from .images import rpc_pb2 as rpc

CR_DEFAULT_SERVICE_ADDRESS = "./criu_service.socket"


class CRIUException(Exception):
    typ = None
    _str = None

    def __str__(self):
        return self._str


class CRIUExceptionInternal(CRIUException):
    """The request could not be made, or was not answered."""

    def __init__(self, typ, s):
        super().__init__(typ, s)
        self.typ = typ
        self._str = f"{rpc.criu_req_type.Name(typ)} failed with internal error: {s}"


class CRIUExceptionExternal(CRIUException):
    """criu has refused. errno: its reason, or 0; errmsg: the same in words, if it has said so."""

    def __init__(self, req_typ, resp_typ, errno_=0, errmsg=""):
        super().__init__(req_typ, resp_typ, errno_, errmsg)
        self.typ = req_typ
        self.resp_typ = resp_typ
        self.errno = errno_
        self.errmsg = errmsg
        self._str = self._describe()

    def _describe(self):
        name = rpc.criu_req_type.Name(self.typ)
        if self.typ != self.resp_typ:
            if self.resp_typ == rpc.EMPTY:
                return f"{name} failed: criu does not know this request"
            return f"{name} failed: unexpected answer of type {self.resp_typ}"
        if self.errno == errno.EBADRQC:
            text = "Bad options"
        elif self.typ in (rpc.DUMP, rpc.PRE_DUMP) and self.errno == errno.ESRCH:
            text = "No process with such pid"
        elif self.typ == rpc.RESTORE and self.errno == errno.EEXIST:
            text = "Process with requested pid already exists"
        else:
            text = "Unknown"
        return f"{name} failed: Error({self.errno}): {text}" + (f": {self.errmsg}" if self.errmsg else "")


class _Socket:
    """The transport of a service."""

    def __init__(self, path):
        self.path = path

    def connect(self, daemon):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.connect(self.path)
        except OSError:
            sock.close()
            raise
        return sock

    def finished(self):
        pass


class _Fd:
    """A connected socket of the caller's, which remains open."""

    def __init__(self, fd):
        self.fd = fd

    def connect(self, daemon):
        return socket.socket(fileno=os.dup(self.fd))

    def finished(self):
        pass


class _Binary:
    """A program that is started; it inherits the descriptors that are to be inherited, except the standard ones."""

    def __init__(self, path):
        self.path = path
        self.pid = None

    def _spawn(self, fd, session):
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) - {signal.SIGCHLD}
        actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        return os.posix_spawnp(self.path, [self.path, "swrk", str(fd)], os.environ, file_actions=actions, setsid=session,
                               setsigmask=blocked)

    def _spawn_detached(self, fd):
        """By a process that exits at once: nothing of it is in the caller's tree or session."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                self._spawn(fd, True)
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(pid, 0)
        if status:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), self.path)

    def connect(self, daemon):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # The program's standard descriptors are others, even if those of the caller are closed.
            fd = fcntl.fcntl(theirs.fileno(), fcntl.F_DUPFD, 3)
        try:
            if daemon:
                self._spawn_detached(fd)
            else:
                self.pid = self._spawn(fd, False)
        except OSError:
            ours.close()
            raise
        finally:
            os.close(fd)
        return ours

    def finished(self):
        if self.pid:
            try:
                os.waitpid(self.pid, 0)
            except ChildProcessError:  # the caller has waited for all its children
                pass
        self.pid = None


class criu:
    """One client: opts (a criu_opts), the transport, and the calls."""

    def __init__(self):
        self.use_binary("criu")
        self.opts = rpc.criu_opts()
        self.opts.images_dir_fd = -1
        self._sock = None

    def use_sk(self, sk_name=CR_DEFAULT_SERVICE_ADDRESS):
        """Use the socket of a service."""
        self._transport = _Socket(sk_name)

    def use_fd(self, fd):
        """Use a connected socket."""
        self._transport = _Fd(fd)

    def use_binary(self, bin_name):
        """Start a program for each request."""
        self._transport = _Binary(bin_name)

    def _request(self, typ, with_opts=True):
        req = rpc.criu_req()
        req.type = typ
        if with_opts:
            req.opts.CopyFrom(self.opts)
        return req

    def _close(self):
        if self._sock:
            self._sock.close()
            self._sock = None
            self._transport.finished()

    def _ask(self, req, daemon=False):
        """Sends a request; the connection remains open if it says so, for the next one."""
        keep = req.keep_open
        try:
            if not self._sock:
                self._sock = self._transport.connect(daemon)
            self._sock.send(req.SerializeToString())
            size = self._sock.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC)
            if not size:
                raise OSError(errno.ECONNRESET, "criu has closed the connection")
            resp = rpc.criu_resp()
            resp.ParseFromString(self._sock.recv(size))
        except Exception as e:
            keep = False
            raise CRIUExceptionInternal(req.type, str(e)) from e
        finally:
            if not keep:
                self._close()
        return resp

    @staticmethod
    def _checked(req, resp, answer=None):
        if resp.type != (req.type if answer is None else answer) or not resp.success:
            raise CRIUExceptionExternal(req.type, resp.type if answer is None or resp.type != answer else req.type,
                                        resp.cr_errno, resp.cr_errmsg)
        return resp

    def check(self):
        """Checks whether the kernel is supported."""
        req = self._request(rpc.CHECK, with_opts=False)
        self._checked(req, self._ask(req))

    def dump(self):
        """Dumps the process opts.pid; without it the caller, for which .restored says who continues."""
        req = self._request(rpc.DUMP)
        daemon = not self.opts.HasField("pid") or self.opts.pid == os.getpid()
        return self._checked(req, self._ask(req, daemon)).dump

    def pre_dump(self):
        """Dumps memory only."""
        req = self._request(rpc.PRE_DUMP)
        daemon = not self.opts.HasField("pid") or self.opts.pid == os.getpid()
        return self._checked(req, self._ask(req, daemon)).dump

    def restore(self):
        """Restores a tree: .pid is its root."""
        req = self._request(rpc.RESTORE)
        return self._checked(req, self._ask(req)).restore

    def page_server_chld(self):
        """Starts a page server as a child of criu: .port, .pid; wait_pid() waits for it."""
        req = self._request(rpc.PAGE_SERVER_CHLD)
        req.keep_open = True
        return self._checked(req, self._ask(req), answer=rpc.PAGE_SERVER).ps

    def wait_pid(self, pid):
        """Waits for a process that criu has started, -> its status."""
        req = self._request(rpc.WAIT_PID, with_opts=False)
        req.pid = pid
        return self._checked(req, self._ask(req)).status
