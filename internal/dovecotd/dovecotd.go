// Package dovecotd starts a throwaway Dovecot 2.3 on loopback, so that tests
// can run against the real server beside the simulator.
//
// The instance lives in a temporary directory: its own dovecot.conf,
// passwd-file users, mail below mail/USER, ephemeral ports for IMAP, for the
// doveadm HTTP API and for the doveadm TCP protocol (dsync). Nothing of the
// system's own configuration is read. Started by root, mail is written as
// "nobody" (Dovecot refuses to write mail as root); started by anybody else,
// as that user.
//
// The program comes with Debian's packages dovecot-core and dovecot-imapd.
// [Start] skips the test when they are missing, or fails it when the
// environment variable SCHOOLMAIL_REQUIRE_SERVERS is 1.
//
// Facts about the configuration: the sample configuration and the manual
// pages of Dovecot 2.3.19.1.
package dovecotd

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/internal/dovecotd/internal/orphan"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/ownserver"
)

// ErrNotInstalled is returned by [Run] when Dovecot is missing.
var ErrNotInstalled = errors.New("dovecotd: dovecot is not installed (Debian packages dovecot-core and dovecot-imapd)")

// ErrNo24 is returned by [Run] when there is no root with Dovecot 2.4.
var ErrNo24 = errors.New("dovecotd: there is no Dovecot 2.4 here (.ci/dovecot24.sh makes a root for it)")

// Server is a running instance.
type Server struct {
	// Dir holds everything of the instance.
	Dir string
	// URL is the base of the doveadm HTTP API, "http://127.0.0.1:port"; the
	// API itself answers at URL + "/doveadm/v1".
	URL             string
	APIKey          string
	DoveadmPassword string
	// IMAPAddr is host:port of the clear-text IMAP listener, DoveadmAddr of
	// the doveadm TCP protocol (for dsync destinations "tcp:" + DoveadmAddr).
	IMAPAddr, DoveadmAddr string
	// MasterUser may log in as anybody, by SASL PLAIN with an authorization
	// identity or as "user*master".
	MasterUser, MasterPassword string
	// QuotaDict is the URI of the dict with storage limits, or in 2.4 its
	// name in the configuration, with Config.QuotaDict: key "priv/quota/limit/storage", in KiB.
	QuotaDict string

	cfg         Config
	root        string // that the processes change to, "" for the machine's own
	user, group string
	uid, gid    int

	mu    sync.Mutex
	users map[string]User

	cmd  *exec.Cmd
	done chan struct{} // closed when the master process has ended
	once sync.Once
}

// Start starts an instance for the length of the test and shows the end of
// its log when the test fails.
func Start(tb testing.TB, cfg *Config) *Server {
	tb.Helper()
	s, err := Run(cfg)
	if errors.Is(err, ErrNo24) {
		lacking.SkipAnyway(tb, err) // it needs root and 300 MB: nobody has to have it
	}
	if errors.Is(err, ErrNotInstalled) {
		lacking.Skip(tb, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Stop()
		if tb.Failed() {
			tb.Logf("end of the Dovecot log:\n%s", tail(s.Log(), 40))
		}
		os.RemoveAll(s.Dir)
	})
	return s
}

// Run starts an instance outside of a test. The caller ends it with
// [Server.Close], which also removes its directory.
func Run(cfg *Config) (*Server, error) {
	s := &Server{users: map[string]User{}, MasterUser: "master", MasterPassword: "test-master"}
	if cfg != nil {
		s.cfg = *cfg
	}
	bin, err := s.binary()
	if err != nil {
		return nil, err
	}
	s.APIKey = orDefault(s.cfg.APIKey, "test-key")
	s.DoveadmPassword = orDefault(s.cfg.DoveadmPassword, "test-doveadm")
	if s.user, s.group, s.uid, s.gid, err = account(); err != nil {
		return nil, fmt.Errorf("dovecotd: %w", err)
	}
	if err := s.prepare(); err != nil {
		os.RemoveAll(s.Dir)
		return nil, fmt.Errorf("dovecotd: %w", err)
	}
	for range 5 { // a port may be taken between its choice and its use
		if err = s.launch(bin); err == nil {
			return s, nil
		}
		if !strings.Contains(s.Log(), "Address already in use") {
			break
		}
		os.Remove(s.logFile())
	}
	err = fmt.Errorf("dovecotd: %w\n%s", err, tail(s.Log(), 10))
	os.RemoveAll(s.Dir)
	return nil, err
}

// binary is the program, as it is called inside of the root.
func (s *Server) binary() (string, error) {
	if s.cfg.Series24 {
		s.root = root24()
		if _, err := os.Stat(filepath.Join(s.root, ".complete")); err != nil || os.Getuid() != 0 {
			return "", ErrNo24
		}
		return "/usr/sbin/dovecot", nil
	}
	bin, err := exec.LookPath("dovecot")
	if err != nil {
		bin = "/usr/sbin/dovecot"
	}
	if !executable(bin) || !executable("/usr/lib/dovecot/imap") {
		return "", ErrNotInstalled
	}
	return bin, nil
}

// inside is how the server sees a path.
func (s *Server) inside(path string) string {
	if s.root == "" {
		return path
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, s.root), "/")
}

// prepare makes the directory. It is short, as UNIX socket paths end at 108
// bytes, and not t.TempDir, which other system users may not enter.
func (s *Server) prepare() (err error) {
	temp := ""
	if s.root != "" {
		temp = filepath.Join(s.root, "tmp")
	}
	if s.Dir, err = os.MkdirTemp(temp, "dovecotd"); err != nil {
		return err
	}
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		return err
	}
	for _, d := range []string{"run", "state", "mail"} {
		if err := os.Mkdir(filepath.Join(s.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chown(filepath.Join(s.Dir, "mail"), s.uid, s.gid); err != nil {
		return err
	}
	master := fmt.Sprintf("%s:{PLAIN}%s\n", s.MasterUser, s.MasterPassword)
	if err := os.WriteFile(filepath.Join(s.Dir, "masters"), []byte(master), 0o644); err != nil {
		return err
	}
	if s.cfg.QuotaDict && s.cfg.Series24 {
		if err := s.prepareDict24(); err != nil {
			return err
		}
	} else if s.cfg.QuotaDict {
		s.QuotaDict = "proxy::quota"
		dir := filepath.Join(s.Dir, "quota")
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o777); err != nil { // the dict service has a user of its own
			return err
		}
		if err := os.WriteFile(s.dictFile(), []byte(dictConfig), 0o644); err != nil {
			return err
		}
	}
	for _, u := range s.cfg.Users {
		s.users[u.Name] = u
	}
	return s.writeUsers()
}

func (s *Server) launch(bin string) error {
	p, err := freePorts(s.listen(), s.cfg.DoveadmPort)
	if err != nil {
		return err
	}
	conf := filepath.Join(s.Dir, "dovecot.conf")
	text := s.render(p)
	if s.cfg.Series24 {
		text = s.render24(p)
	}
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(bin, "-F", "-c", s.inside(conf))
	cmd.Env = append(os.Environ(), "TZ=UTC") // some answers show local times
	orphan.Prevent(cmd)
	if s.root != "" {
		orphan.Root(cmd, s.root)
	}
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	s.cmd, s.done = cmd, done
	s.IMAPAddr = fmt.Sprintf("%s:%d", s.listen(), p.imap)
	s.DoveadmAddr = fmt.Sprintf("%s:%d", s.listen(), p.doveadm)
	s.URL = fmt.Sprintf("http://%s:%d", s.listen(), p.http)
	if s.cfg.CertFile != "" {
		s.URL = "https" + strings.TrimPrefix(s.URL, "http")
	}

	deadline := time.Now().Add(time.Minute)
	for !greets(s.IMAPAddr) {
		select {
		case <-done:
			return fmt.Errorf("dovecot ended while starting: %s", strings.TrimSpace(out.String()))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Stop()
			return errors.New("dovecot does not answer")
		}
	}
	return nil
}

// greets reports whether the IMAP listener sends its greeting, which also
// means that the login and authentication processes are up.
func greets(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "* OK")
}

// Stop ends the processes and keeps the directory.
func (s *Server) Stop() {
	s.once.Do(func() { ownserver.End(s.cmd.Process, syscall.SIGTERM, s.done) })
}

// Close stops the instance and removes its directory.
func (s *Server) Close() error {
	s.Stop()
	return os.RemoveAll(s.Dir)
}

// SetUsers adds or replaces users and returns when Dovecot sees them. It looks
// at its passwd-file at most once in each second of the clock, so that one call
// waits up to a second: set all users of a test at once.
func (s *Server) SetUsers(users ...User) error {
	return s.change(func() {
		for _, u := range users {
			s.users[u.Name] = u
		}
	})
}

// RemoveUsers takes users out of the passwd-file, waiting like [Server.SetUsers].
// Their mail stays.
func (s *Server) RemoveUsers(names ...string) error {
	return s.change(func() {
		for _, n := range names {
			delete(s.users, n)
		}
	})
}

// change rewrites the passwd-file and waits for the next second to begin, when
// the file's time differs and Dovecot looks at it again.
func (s *Server) change(f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	if err := s.writeUsers(); err != nil {
		return err
	}
	now := time.Now()
	time.Sleep(now.Truncate(time.Second).Add(time.Second + 5*time.Millisecond).Sub(now))
	return nil
}

func (s *Server) writeUsers() error {
	names := make([]string, 0, len(s.users))
	for n := range s.users {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		b.WriteString(s.users[n].line(s.cfg.Series24))
	}
	tmp := s.usersFile() + ".new" // renamed into place: a reader never sees half of it
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, s.usersFile())
}

// Home returns the default home directory of a user, as the server sees it.
func (s *Server) Home(name string) string { return s.inside(filepath.Join(s.Dir, "mail", name)) }

// MailRoot is the directory of all homes, as the server sees it.
func (s *Server) MailRoot() string { return s.inside(filepath.Join(s.Dir, "mail")) }

// Outside is where a path of the server lies on the machine.
func (s *Server) Outside(path string) string { return filepath.Join(s.root, path) }

// ConfigFile returns the path of dovecot.conf, for "doveadm -c".
func (s *Server) ConfigFile() string { return filepath.Join(s.Dir, "dovecot.conf") }

// MailOwner returns the numeric user and group that own the mail, for files
// that a test puts there itself.
func (s *Server) MailOwner() (uid, gid int) { return s.uid, s.gid }

// Log returns the server's log so far.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.logFile())
	if err != nil {
		return ""
	}
	return string(b)
}

func (s *Server) dictFile() string  { return filepath.Join(s.Dir, "quota-dict.conf") }
func (s *Server) logFile() string   { return filepath.Join(s.Dir, "log") }
func (s *Server) usersFile() string { return filepath.Join(s.Dir, "users") }

func executable(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.Mode()&0o111 != 0
}

func (s *Server) listen() string { return orDefault(s.cfg.Listen, "127.0.0.1") }

// freePorts asks the kernel for free ports, that for doveadm unless it is given.
func freePorts(addr string, doveadm int) (ports, error) {
	n, err := ownserver.FreePorts(addr, 4)
	if err != nil {
		return ports{}, err
	}
	n = slices.DeleteFunc(n, func(p int) bool { return p == doveadm })
	if doveadm == 0 {
		doveadm = n[2]
	}
	return ports{n[0], n[1], doveadm}, nil
}

func tail(s string, lines int) string {
	l := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(l) > lines {
		l = l[len(l)-lines:]
	}
	return strings.Join(l, "\n")
}
