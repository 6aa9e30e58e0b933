//go:build linux

// Command migrate-bench measures examples/migrate, mbsync and Dovecot's dsync
// side by side between the same two throwaway servers, Debian's Cyrus and
// Debian's Dovecot, and prints the README's table:
//
//	export SCHOOLMAIL_CYRUS_ROOT="$(.ci/cyrus.sh)"
//	go run ./examples/migrate-bench
//
// Each tool is a process of its own, so that its peak memory is what the
// kernel counts (VmHWM). The servers are on loopback, the target is a
// Maildir with mail_fsync=never; nothing else is tuned. Needs the Debian
// packages dovecot-core, dovecot-imapd and isync, and .ci/cyrus.sh.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

const password = "pw"

var tools = []string{"migrate", "mbsync", "dsync"}

// layout is one set of mail.
type layout struct {
	name              string
	folders, messages int // messages in each folder
	size              int
}

type bench struct {
	from *cyrusd.Server
	to   *dovecotd.Server
	dir  string
	bin  string // examples/migrate

	oldNames bool // from has the names of Cyrus before 3.0
}

func main() {
	scale := flag.Int("scale", 1, "divide the number of messages by this")
	nasty := flag.Bool("nasty", true, "also compare on the nasty account")
	huge := flag.Int("huge", 0, "only measure migrate with so many messages in one folder, and so many folders divided by 100")
	bound := flag.Bool("bound", false, "only measure what 200 messages of 2 MB cost on the clock and on the processors, and what the servers alone need for them")
	flag.Parse()
	if err := run(*scale, *nasty, *huge, *bound); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(scale int, withNasty bool, huge int, bound bool) error {
	layouts := []layout{
		{"5,000 small messages, 1 folder", 1, 5000 / scale, 2400},
		{"5,000 small messages, 50 folders", 50, 100 / scale, 2400},
		{"200 messages of 2 MB", 1, 200 / scale, 2 << 20},
	}
	b := &bench{}
	var users []cyrusd.User
	var targets []dovecotd.User
	for i := range layouts {
		src := fmt.Sprintf("layout%d", i)
		users = append(users, cyrusd.User{Name: src, Password: password})
		for _, tool := range tools {
			for r := range rounds + 1 {
				targets = append(targets, dovecotd.User{Name: targetOf(src, tool, r), Password: password})
			}
		}
	}
	for _, size := range []int{0, 4, 16, 64} {
		for r := range rounds + 1 {
			targets = append(targets, dovecotd.User{Name: targetOf("layout2", fmt.Sprintf("append%d", size), r), Password: password})
		}
	}
	for i := range bigMailboxes {
		user := fmt.Sprintf("big%d", i)
		users = append(users, cyrusd.User{Name: user, Password: password})
		targets = append(targets, dovecotd.User{Name: user, Password: password})
	}
	for _, user := range []string{"huge", "wide"} {
		users = append(users, cyrusd.User{Name: user, Password: password})
		targets = append(targets, dovecotd.User{Name: user + "migrate", Password: password})
	}
	for _, tool := range tools {
		targets = append(targets, dovecotd.User{Name: "nasty" + tool, Password: password})
	}
	var err error
	if b.from, err = cyrusd.Run(&cyrusd.Config{Users: users}); err != nil {
		return err
	}
	defer b.from.Close()
	b.to, err = dovecotd.Run(&dovecotd.Config{Users: targets, NoQuota: true, Extra: "dsync_hashed_headers = Date Message-ID\nmail_prefetch_count = 20"})
	if err != nil {
		return err
	}
	defer b.to.Close()
	if b.dir, err = os.MkdirTemp("", "migrate-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.bin = filepath.Join(b.dir, "migrate")
	build := exec.Command("go", "build", "-o", b.bin, "github.com/ictmedia/schoolmail/examples/migrate")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return err
	}

	if huge > 0 {
		return b.huge(huge)
	}
	if bound {
		return b.bound(layouts[2])
	}
	fmt.Printf("Measured by `go run ./examples/migrate-bench` on %d cores (%s); Cyrus 3.6.1 to Dovecot 2.3.19.1 on loopback, Maildir, mail_fsync=never; the best of %d runs.\n\n", runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, rounds+1)
	fmt.Println("| mail | tool | first run | messages/s | MB/s | unchanged run | run with 1 % new | peak memory |")
	fmt.Println("|---|---|---:|---:|---:|---:|---:|---:|")
	for i, l := range layouts {
		if err := b.layout(fmt.Sprintf("layout%d", i), l); err != nil {
			return err
		}
	}
	if err := b.memory(); err != nil {
		return err
	}
	if withNasty {
		return b.nasty()
	}
	return nil
}

// memory runs migrate on eight mailboxes at once, with messages of 50 MB.
func (b *bench) memory() error {
	var list strings.Builder
	list.WriteString("name,source,target,source_password,target_password\n")
	for i := range bigMailboxes {
		user := fmt.Sprintf("big%d", i)
		if _, err := b.fill(user, layout{folders: 1, size: 50 << 20}, 0, 2); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s,%s,%s,%s,%s\n", user, user, user, password, password)
	}
	users := filepath.Join(b.dir, "big.csv")
	if err := os.WriteFile(users, []byte(list.String()), 0o600); err != nil {
		return err
	}
	took, peak, err := b.measure("migrate", exec.Command(b.bin, "-insecure", "-from", "imap://"+b.from.IMAPAddr, "-to", "imap://"+b.to.IMAPAddr,
		"-users", users, "-parallel", fmt.Sprint(bigMailboxes), "-state", filepath.Join(b.dir, "state")))
	if err != nil {
		return err
	}
	bytes := float64(bigMailboxes * 2 * (50 << 20))
	fmt.Printf("\n%d mailboxes at once, 2 messages of 50 MB each: %.1f s, %.0f MB/s, peak memory of the process %.0f MB.\n", bigMailboxes, took.Seconds(), bytes/1e6/took.Seconds(), float64(peak)/1e6)
	return nil
}

const bigMailboxes = 8

// huge measures migrate on one folder with n messages and on n/100 folders.
func (b *bench) huge(n int) error {
	for _, l := range []layout{{name: "huge", folders: 1, messages: n, size: 300}, {name: "wide", folders: n / 100, messages: 1, size: 300}} {
		user := l.name
		if _, err := b.fill(user, l, 0, l.messages); err != nil {
			return err
		}
		first, peak, err := b.tool("migrate", user, 0)
		if err != nil {
			return err
		}
		second, peak2, err := b.tool("migrate", user, 0)
		if err != nil {
			return err
		}
		if _, err := b.fill(user, layout{folders: 1, size: 300}, n, n+n/100); err != nil {
			return err
		}
		third, peak3, err := b.tool("migrate", user, 0)
		if err != nil {
			return err
		}
		if err := b.deleteOne(user); err != nil {
			return err
		}
		deletion, peak5, err := b.tool("migrate", user, 0)
		if err != nil {
			return err
		}
		// Without its state, everything has to be recognised.
		if err := os.RemoveAll(filepath.Join(b.dir, "state")); err != nil {
			return err
		}
		lost, peak4, err := b.tool("migrate", user, 0)
		if err != nil {
			return err
		}
		arrived, err := b.count(user + "migrate")
		if err != nil {
			return err
		}
		fmt.Printf("%d folders with %d messages each: first run %.1f s (%.0f/s, peak %.0f MB), unchanged %.2f s (%.0f MB), 1 %% new in INBOX %.2f s (%.0f MB), one deletion in INBOX %.2f s (%.0f MB), state lost %.1f s (%.0f MB), %d messages at the target\n",
			l.folders, l.messages, first.Seconds(), float64(l.folders*l.messages)/first.Seconds(), float64(peak)/1e6, second.Seconds(), float64(peak2)/1e6,
			third.Seconds(), float64(peak3)/1e6, deletion.Seconds(), float64(peak5)/1e6, lost.Seconds(), float64(peak4)/1e6, arrived)
	}
	return nil
}

// deleteOne removes one message from the middle of a source INBOX, and shows
// what asking for all UIDs costs, and what asking for the vanished ones does.
func (b *bench) deleteOne(user string) error {
	c, err := cyrusd.Dial(b.from.IMAPAddr)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Do("LOGIN %s %s", user, password); err != nil {
		return err
	}
	sel, err := c.Do("SELECT INBOX (CONDSTORE)")
	if err != nil {
		return err
	}
	_, modseq, _ := strings.Cut(sel, "[HIGHESTMODSEQ ")
	modseq, _, _ = strings.Cut(modseq, "]")
	for _, cmd := range []string{`UID STORE 7 +FLAGS.SILENT (\Deleted)`, "UID EXPUNGE 7", "ENABLE QRESYNC"} {
		if _, err := c.Do("%s", cmd); err != nil {
			return err
		}
	}
	for _, cmd := range []string{"UID SEARCH RETURN (ALL) ALL", fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %s VANISHED)", modseq)} {
		start := time.Now()
		out, err := c.Do("%s", cmd)
		if err != nil {
			return err
		}
		fmt.Printf("%s: %.1f ms, %d bytes\n", cmd, time.Since(start).Seconds()*1e3, len(out))
	}
	return nil
}

func (b *bench) layout(user string, l layout) error {
	bytes, err := b.fill(user, l, 0, l.messages)
	if err != nil {
		return err
	}
	total := l.folders * l.messages
	type figures struct {
		first, second, third time.Duration
		peak                 int64
		note                 string
	}
	all := map[string]*figures{}
	for _, tool := range tools {
		all[tool] = &figures{}
	}
	note := func(tool string, err error) {
		if err != nil {
			all[tool].note = " (" + err.Error() + ")"
		}
	}
	// The machine's other work disturbs: the tools take turns, and the best of
	// several runs counts. Round 0 comes last; its target is the one that later runs go on with.
	for r := rounds; r >= 0; r-- {
		for _, tool := range tools {
			took, peak, err := b.tool(tool, user, r)
			f := all[tool]
			if f.first == 0 || took < f.first {
				f.first = took
			}
			f.peak = max(f.peak, peak)
			note(tool, err)
		}
	}
	for range rounds + 1 {
		for _, tool := range tools {
			took, peak, err := b.tool(tool, user, 0)
			f := all[tool]
			if f.second == 0 || took < f.second {
				f.second = took
			}
			f.peak = max(f.peak, peak)
			note(tool, err)
		}
	}
	if _, err := b.fill(user, l, l.messages, l.messages+max(l.messages/100, 1)); err != nil {
		return err
	}
	for _, tool := range tools {
		f := all[tool]
		f.third, _, err = b.tool(tool, user, 0)
		note(tool, err)
		arrived, err := b.count(user + tool)
		if err != nil {
			return err
		}
		if want := total + l.folders*max(l.messages/100, 1); arrived != want {
			f.note += fmt.Sprintf(" (%d of %d messages arrived)", arrived, want)
		}
		s := f.first.Seconds()
		fmt.Printf("| %s | %s%s | %.2f s | %.0f | %.1f | %.2f s | %.2f s | %.0f MB |\n", l.name, tool, f.note, s,
			float64(total)/s, float64(bytes)/1e6/s, f.second.Seconds(), f.third.Seconds(), float64(f.peak)/1e6)
	}
	return nil
}

// fill stores messages from..to in each folder, 50 at a time or 8 MB.
func (b *bench) fill(user string, l layout, from, to int) (bytes int64, err error) {
	c, err := cyrusd.Dial(b.from.IMAPAddr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Do("LOGIN %s %s", user, password); err != nil {
		return 0, err
	}
	for f := range l.folders {
		box := "INBOX"
		if f > 0 {
			box = fmt.Sprintf("folder%02d", f)
			c.Do("CREATE %s", box)
		}
		var cmd strings.Builder
		flush := func() error {
			if cmd.Len() == 0 {
				return nil
			}
			_, err := c.Do("APPEND %s%s", box, strings.ReplaceAll(cmd.String(), "%", "%%"))
			cmd.Reset()
			return err
		}
		for i := from; i < to; i++ {
			m := fmt.Sprintf("From: a@school.test\r\nTo: b@school.test\r\nSubject: message %d\r\nMessage-ID: <%d.%d.%s@school.test>\r\nDate: Mon, 2 Mar 2020 10:00:00 +0100\r\n\r\n", i, f, i, user)
			line := strings.Repeat("x", 76) + "\r\n"
			m += strings.Repeat(line, max((l.size-len(m))/len(line), 1))
			bytes += int64(len(m))
			fmt.Fprintf(&cmd, " (\\Seen) {%d+}\r\n%s", len(m), m)
			if (i-from)%50 == 49 || cmd.Len() > 8<<20 {
				if err := flush(); err != nil {
					return 0, err
				}
			}
		}
		if err := flush(); err != nil {
			return 0, err
		}
	}
	return bytes, nil
}

// rounds are the additional first runs, each into an empty target of its own.
const rounds = 2

// tool runs one tool once, and gives its time and peak memory.
func (b *bench) tool(tool, user string, round int) (time.Duration, int64, error) {
	return b.measure(tool, b.command(tool, user, round))
}

func (b *bench) measure(tool string, cmd *exec.Cmd) (time.Duration, int64, error) {
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	start := time.Now()
	err := cmd.Start()
	if err != nil {
		return 0, 0, err
	}
	ended, watched := make(chan struct{}), make(chan int64)
	go func() { watched <- peakMemory(cmd.Process.Pid, ended) }()
	err = cmd.Wait()
	took := time.Since(start)
	close(ended)
	peak := <-watched
	if err != nil {
		os.WriteFile(filepath.Join(os.TempDir(), "migrate-bench-"+tool+".log"), []byte(out.String()), 0o600)
		err = fmt.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
	return took, peak, err
}

// peakMemory reads the kernel's high-water mark of a process until it ends.
// The mark that wait gives (ru_maxrss) is of no use: it begins with the memory of this
// program, whose child the process was.
func peakMemory(pid int, ended <-chan struct{}) (peak int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				var kb int64
				fmt.Sscan(rest, &kb)
				peak = max(peak, kb<<10)
			}
		}
		select {
		case <-ended:
			return peak
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (b *bench) command(tool, user string, round int) *exec.Cmd {
	host, port, _ := strings.Cut(b.from.IMAPAddr, ":")
	target := targetOf(user, tool, round)
	switch tool {
	case "migrate":
		state := filepath.Join(b.dir, "state")
		return exec.Command(b.bin, "-insecure", "-from", fmt.Sprintf("imap://%s:%s@%s", user, password, b.from.IMAPAddr),
			"-to", fmt.Sprintf("imap://%s:%s@%s", target, password, b.to.IMAPAddr), "-state", state)
	case "mbsync":
		thost, tport, _ := strings.Cut(b.to.IMAPAddr, ":")
		store := func(name, host, port, user, more string) string {
			return fmt.Sprintf("IMAPStore %s\nHost %s\nPort %s\nUser %s\nPass %s\nSSLType None\nAuthMechs LOGIN\nPipelineDepth 20\n%s\n", name, host, port, user, password, more)
		}
		dir := filepath.Join(b.dir, "mbsync-"+target)
		os.MkdirAll(dir, 0o700)
		conf := store("far", host, port, user, "") + store("near", thost, tport, target, "") +
			"Channel c\nFar :far:\nNear :near:\nPatterns * !Drafts !Junk !Sent !Trash\nSync Pull\nCreate Near\nRemove None\nExpunge Near\nCopyArrivalDate yes\nSyncState " + dir + "/\n"
		file := filepath.Join(dir, "rc")
		os.WriteFile(file, []byte(conf), 0o600)
		return exec.Command("mbsync", "-c", file, "c")
	}
	args := []string{"-c", b.to.ConfigFile(), "-o", "mail_fsync=never", "-o", "imapc_host=" + host, "-o", "imapc_port=" + port, "-o", "imapc_user=" + user,
		"-o", "imapc_password=" + password, "-o", "imapc_features=rfc822.size fetch-headers"}
	if b.oldNames {
		args = append(args, "-o", "imapc_list_prefix=INBOX")
	}
	args = append(args, "backup", "-R", "-u", target, "imapc:")
	return exec.Command("doveadm", args...)
}

func targetOf(user, tool string, round int) string {
	if round == 0 {
		return user + tool
	}
	return fmt.Sprintf("%s%s%d", user, tool, round)
}

// count adds up a target's messages.
func (b *bench) count(user string) (int, error) {
	c, err := cyrusd.Dial(b.to.IMAPAddr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Do("LOGIN %s %s", user, password); err != nil {
		return 0, err
	}
	out, err := c.Do(`LIST "" "*" RETURN (STATUS (MESSAGES))`)
	n := 0
	for line := range strings.Lines(out) {
		if i := strings.Index(line, "(MESSAGES "); i >= 0 {
			k := 0
			fmt.Sscanf(line[i:], "(MESSAGES %d)", &k)
			n += k
		}
	}
	return n, err
}
