// Package cyrusd starts a throwaway Cyrus IMAP 3.6 on loopback, as the source
// of migration tests.
//
// Debian's cyrus-imapd conflicts with dovecot-imapd, so it is not installed
// but unpacked: the script .ci/cyrus.sh does that and prints the directory,
// which [Root] finds in SCHOOLMAIL_CYRUS_ROOT or in the script's default
// places. [Start] skips the test when nothing is there, or fails it when
// SCHOOLMAIL_REQUIRE_SERVERS is 1.
//
// The instance lives in a temporary directory: configuration, spool, sockets,
// one IMAP and one LMTP listener on ephemeral ports. Cyrus refuses to run as
// root; started by root it changes to "nobody". Passwords are checked by the
// package itself, which answers Cyrus in the place of saslauthd.
//
// Facts: imapd.conf(5) and cyrus.conf(5) of Cyrus 3.6.1.
package cyrusd

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/ownserver"
)

// ErrNotInstalled is returned by [Run] when Cyrus has not been unpacked.
var ErrNotInstalled = errors.New("cyrusd: no Cyrus IMAP found (run .ci/cyrus.sh, which unpacks Debian's cyrus-imapd " +
	"and cyrus-common)")

// Config says what the instance looks like. The zero value is a server with
// the defaults of Cyrus 3: names such as "Sent", separator "/".
type Config struct {
	// Users exist from the start, each with an INBOX.
	Users []User
	// OldNames switches to the names before Cyrus 3.0: altnamespace and
	// unixhierarchysep off, "INBOX.Sent" with separator ".".
	OldNames bool
	// ExpungeMode and DeleteMode are "immediate" when empty; with "delayed",
	// which is what sites have, expunged messages and deleted folders stay on
	// disk where IMAP does not show them.
	ExpungeMode, DeleteMode string
	// Extra is appended to imapd.conf as it is.
	Extra string
}

// With returns the configuration with more users, all with one password.
func (c Config) With(password string, users ...string) *Config {
	c.Users = slices.Clone(c.Users)
	for _, u := range users {
		c.Users = append(c.Users, User{Name: u, Password: password})
	}
	return &c
}

// User is an account with its password.
type User struct{ Name, Password string }

// Server is a running instance.
type Server struct {
	// Dir holds everything of the instance, Spool the messages.
	Dir, Spool string
	// IMAPAddr and LMTPAddr are host:port on loopback, in clear text.
	IMAPAddr, LMTPAddr string
	// AdminUser administers; ProxyUser may only act for others, by SASL
	// PLAIN with an authorization identity (both may).
	AdminUser, AdminPassword string
	ProxyUser, ProxyPassword string

	cfg       Config
	root      string
	mu        sync.Mutex
	passwords map[string]string
	auth      net.Listener
	cmd       *exec.Cmd
	done      chan struct{}
	once      sync.Once
}

// Root returns the directory where Cyrus is unpacked, "" if there is none.
func Root() string {
	dirs := []string{os.Getenv("SCHOOLMAIL_CYRUS_ROOT"), "/var/cache/schoolmail-cyrus"}
	if d, err := os.UserCacheDir(); err == nil {
		dirs = append(dirs, filepath.Join(d, "schoolmail-cyrus"))
	}
	for _, d := range dirs {
		if d == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(d, "usr/lib/cyrus/bin/imapd")); err == nil {
			return d
		}
	}
	return ""
}

// Start starts an instance for the length of the test.
func Start(tb testing.TB, cfg *Config) *Server {
	tb.Helper()
	s, err := Run(cfg)
	if errors.Is(err, ErrNotInstalled) {
		lacking.Skip(tb, err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// Run starts an instance outside of a test; the caller ends it with
// [Server.Close].
func Run(cfg *Config) (*Server, error) {
	root := Root()
	if root == "" {
		return nil, ErrNotInstalled
	}
	s := &Server{
		root: root, passwords: map[string]string{},
		AdminUser: "cyradm", AdminPassword: "test-admin",
		ProxyUser: "proxy", ProxyPassword: "test-proxy",
	}
	if cfg != nil {
		s.cfg = *cfg
	}
	s.passwords[s.AdminUser] = s.AdminPassword
	s.passwords[s.ProxyUser] = s.ProxyPassword
	err := s.prepare()
	if err == nil {
		// A port may be taken between its choice and its use, of which master
		// tells the system log only; and a loaded machine may need its time.
		for _, patience := range []time.Duration{15 * time.Second, 30 * time.Second, 60 * time.Second} {
			if err = s.launch(patience); err == nil {
				break
			}
			s.terminate()
		}
	}
	if err == nil {
		err = s.AddUsers(s.cfg.Users...)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("cyrusd: %w", err)
	}
	return s, nil
}

// prepare makes the directory: short, because UNIX socket paths end at 108
// bytes, and not t.TempDir, which the changed-to user may not enter.
func (s *Server) prepare() (err error) {
	if s.Dir, err = os.MkdirTemp("", "cyrusd"); err != nil {
		return err
	}
	s.Spool = filepath.Join(s.Dir, "spool")
	dirs := []string{"", "conf", "spool", "socket"}
	for _, d := range dirs[1:] {
		if err := os.Mkdir(filepath.Join(s.Dir, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.Dir, 0o755); err != nil {
		return err
	}
	if uid, gid, ok := s.changeTo(); ok {
		for _, d := range dirs {
			if err := os.Chown(filepath.Join(s.Dir, d), uid, gid); err != nil {
				return err
			}
		}
	}
	sock := filepath.Join(s.Dir, "socket", "mux")
	if s.auth, err = net.Listen("unix", sock); err != nil {
		return err
	}
	go s.answerLogins()
	return os.Chmod(sock, 0o777)
}

// changeTo returns the system user that Cyrus runs as, when started by root.
func (s *Server) changeTo() (uid, gid int, ok bool) {
	if os.Getuid() != 0 {
		return 0, 0, false
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return 0, 0, false
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid, true
}

func (s *Server) systemUser() string {
	if os.Getuid() == 0 {
		return "nobody"
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "cyrus"
}

func (s *Server) launch(patience time.Duration) error {
	ports, err := ownserver.FreePorts("127.0.0.1", 2)
	if err != nil {
		return err
	}
	s.IMAPAddr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	s.LMTPAddr = fmt.Sprintf("127.0.0.1:%d", ports[1])
	bin := filepath.Join(s.root, "usr/lib/cyrus/bin")
	names := "altnamespace: yes\nunixhierarchysep: yes\n"
	if s.cfg.OldNames {
		names = "altnamespace: no\nunixhierarchysep: no\n"
	}
	imapd := filepath.Join(s.Dir, "imapd.conf")
	conf := fmt.Sprintf(`configdirectory: %[1]s/conf
partition-default: %[1]s/spool
defaultpartition: default
servername: %[9]s
cyrus_user: %[2]s
admins: %[3]s
proxyservers: %[4]s
allowplaintext: yes
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: %[1]s/socket/mux
sasl_mech_list: PLAIN LOGIN
virtdomains: off
lmtpsocket: %[1]s/socket/lmtp
idlesocket: %[1]s/socket/idle
notifysocket: %[1]s/socket/notify
failedloginpause: 0
duplicatesuppression: no
delete_mode: %[7]s
expunge_mode: %[8]s
sievedir: %[1]s/conf/sieve
%[5]s%[6]s
`, s.Dir, s.systemUser(), s.AdminUser, s.ProxyUser, names, s.cfg.Extra,
		cmp.Or(s.cfg.DeleteMode, "immediate"), cmp.Or(s.cfg.ExpungeMode, "immediate"), s.name())
	services := fmt.Sprintf(`START {
  recover cmd="%[1]s/ctl_cyrusdb -C %[2]s -r"
}
SERVICES {
  imap cmd="%[1]s/imapd -C %[2]s" listen="%[3]s" prefork=0
  lmtp cmd="%[1]s/lmtpd -C %[2]s -a" listen="%[4]s" prefork=0
}
EVENTS {
}
`, bin, imapd, s.IMAPAddr, s.LMTPAddr)
	if err := os.WriteFile(imapd, []byte(conf), 0o644); err != nil {
		return err
	}
	file := filepath.Join(s.Dir, "cyrus.conf")
	if err := os.WriteFile(file, []byte(services), 0o644); err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "master"), "-D", "-C", imapd, "-M", file, "-p", filepath.Join(s.Dir, "pid"))
	arch, _ := filepath.Glob(filepath.Join(s.root, "usr/lib/*-linux-gnu*"))
	arch2, _ := filepath.Glob(filepath.Join(s.root, "lib/*-linux-gnu*"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(append(arch, arch2...), ":"))
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	s.cmd, s.done = cmd, done

	deadline := time.Now().Add(patience)
	for {
		c, err := Dial(s.IMAPAddr)
		if err == nil {
			c.Close()
			if strings.Contains(c.greeting, s.name()) {
				return nil
			}
			return errors.New("another server has taken the port")
		}
		select {
		case <-done:
			return fmt.Errorf("master ended while starting: %s", strings.TrimSpace(out.String()))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no greeting: %w", err)
		}
	}
}

// name is in the greeting, which proves that it is this instance that answers.
func (s *Server) name() string { return filepath.Base(s.Dir) }

// answerLogins is saslauthd: four strings (user, password, service, realm),
// each after its length in two bytes, answered by "OK" or "NO" in the same form.
func (s *Server) answerLogins() {
	for {
		c, err := s.auth.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var field [4]string
			for i := range field {
				var n uint16
				if binary.Read(c, binary.BigEndian, &n) != nil {
					return
				}
				b := make([]byte, n)
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				field[i] = string(b)
			}
			s.mu.Lock()
			pw, ok := s.passwords[field[0]]
			s.mu.Unlock()
			answer := "NO"
			if ok && pw == field[1] {
				answer = "OK"
			}
			c.Write(append([]byte{0, byte(len(answer))}, answer...))
		}()
	}
}

// AddUsers creates accounts with their INBOX and without quota.
func (s *Server) AddUsers(users ...User) error {
	if len(users) == 0 {
		return nil
	}
	c, err := Dial(s.IMAPAddr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do("LOGIN %s %s", s.AdminUser, s.AdminPassword); err != nil {
		return err
	}
	sep := "/"
	if s.cfg.OldNames {
		sep = "."
	}
	for _, u := range users {
		s.mu.Lock()
		s.passwords[u.Name] = u.Password
		s.mu.Unlock()
		if _, err := c.Do("CREATE user%s%s", sep, u.Name); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends the processes and keeps the directory.
func (s *Server) Stop() {
	s.once.Do(func() {
		if s.auth != nil {
			s.auth.Close()
		}
		s.terminate()
	})
}

// terminate ends master, if it runs.
func (s *Server) terminate() {
	if s.cmd == nil {
		return
	}
	// SIGTERM ends master and its children at once; SIGQUIT would wait for sessions.
	ownserver.End(s.cmd.Process, syscall.SIGTERM, s.done)
	s.cmd = nil
}

// Close stops the instance and removes its directory.
func (s *Server) Close() error {
	s.Stop()
	return os.RemoveAll(s.Dir)
}

// Conn is a minimal raw IMAP connection for setting up tests: it knows nothing
// but tags. It is on purpose not the client under test.
type Conn struct {
	net.Conn
	r        *bufio.Reader
	n        int
	greeting string
}

// Dial connects and reads the greeting.
func Dial(addr string) (*Conn, error) {
	nc, err := net.DialTimeout("tcp", addr, 2*time.Second)
	if err != nil {
		return nil, err
	}
	return NewConn(nc)
}

// NewConn takes a connection and reads the greeting.
func NewConn(nc net.Conn) (*Conn, error) {
	c := &Conn{Conn: nc, r: bufio.NewReader(nc)}
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	line, err := c.r.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "* OK") {
		err = fmt.Errorf("greeting %q", line)
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	c.greeting = line
	return c, nil
}

// Do sends one command (which may contain non-synchronising literals) and
// returns the untagged text; a tagged NO or BAD is an error.
func (c *Conn) Do(format string, args ...any) (string, error) {
	c.n++
	tag := "t" + strconv.Itoa(c.n)
	cmd := fmt.Sprintf(format, args...)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c.Conn, tag+" "+cmd+"\r\n"); err != nil {
		return "", err
	}
	var out strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return out.String(), fmt.Errorf("%.60q: %w", cmd, err)
		}
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			if !strings.HasPrefix(rest, "OK") {
				return out.String(), fmt.Errorf("%.60q: %s", cmd, strings.TrimSpace(rest))
			}
			return out.String() + line, nil
		}
		out.WriteString(line)
	}
}

// Append stores one message; date is an IMAP date-time or "".
func (c *Conn) Append(mailbox, flags, date, message string) error {
	if date != "" {
		date = `"` + date + `" `
	}
	_, err := c.Do("APPEND %s (%s) %s{%d+}\r\n%s", Quote(mailbox), flags, date, len(message), message)
	return err
}

// Quote makes a quoted string of a mailbox name already in modified UTF-7.
func Quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
