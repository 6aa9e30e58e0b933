//go:build linux

// Package bench is the program examples/migrate-bench: it measures
// examples/migrate, mbsync and Dovecot's dsync side by side between the same two
// throwaway servers, and prints the README's tables.
//
// Each tool is a process of its own, so that its peak memory is what the
// kernel counts (VmHWM). The servers are on loopback, the target is a
// Maildir with mail_fsync=never; nothing else is tuned.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ictmedia/schoolmail/internal/cli"
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
	ctx  context.Context
	out  io.Writer
	from *cyrusd.Server
	to   *dovecotd.Server
	dir  string
	bin  string // examples/migrate

	oldNames bool // from has the names of Cyrus before 3.0
}

const usage = `migrate-bench measures examples/migrate, mbsync and Dovecot's dsync side by side
between the same two throwaway servers, Debian's Cyrus and Debian's Dovecot, and
prints the tables of the README. It needs the Debian packages dovecot-imapd and
isync, and Cyrus as .ci/cyrus.sh unpacks it.

Usage:

  export SCHOOLMAIL_CYRUS_ROOT="$(.ci/cyrus.sh)"
  go run ./examples/migrate-bench                 the tables, some five minutes
  go run ./examples/migrate-bench -huge 200000    one large folder, and 2,000 folders
  go run ./examples/migrate-bench -bound          what the servers alone need

Exit status: 0 done; 1 failed; 2 bad flags.

Flags:

`

// options are the flags.
type options struct {
	scale, huge  int
	nasty, bound bool
}

// Main runs the program and returns its exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := cli.NewFlags("migrate-bench", usage, stdout, stderr)
	f.IntVar(&o.scale, "scale", 1, "divide the `number` of messages by this, 1 to 100")
	f.BoolVar(&o.nasty, "nasty", true, "also compare on the nasty account")
	f.IntVar(&o.huge, "huge", 0,
		"only measure migrate with this `number` of messages in one folder, and a hundredth of it in folders")
	f.BoolVar(&o.bound, "bound", false,
		"only measure what 200 messages of 2 MB cost on the clock and on the processors, and what the servers alone need for them")
	if status, ok := f.Parse(args); !ok {
		return status
	}
	if o.scale < 1 || o.scale > 100 || o.huge < 0 {
		return f.Misused("-scale is 1 to 100, -huge a number of messages")
	}
	if err := run(ctx, o, stdout, stderr); err != nil {
		return f.Fail(cli.Failed, err)
	}
	return cli.Done
}

func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if _, err := exec.LookPath("mbsync"); err != nil {
		return errors.New("mbsync is missing: install the Debian package isync")
	}
	layouts := []layout{
		{"5,000 small messages, 1 folder", 1, 5000 / o.scale, 2400},
		{"5,000 small messages, 50 folders", 50, 100 / o.scale, 2400},
		{"200 messages of 2 MB", 1, 200 / o.scale, 2 << 20},
	}
	if o.scale > 1 {
		for i := range layouts {
			layouts[i].name += fmt.Sprintf(", divided by %d", o.scale)
		}
	}
	b := &bench{ctx: ctx, out: stdout}
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
			targets = append(targets, dovecotd.User{Name: targetOf("layout2", fmt.Sprintf("append%d", size), r),
				Password: password})
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
	b.to, err = dovecotd.Run(&dovecotd.Config{Users: targets, NoQuota: true,
		Extra: "dsync_hashed_headers = Date Message-ID\nmail_prefetch_count = 20"})
	if err != nil {
		return err
	}
	defer b.to.Close()
	if b.dir, err = os.MkdirTemp("", "migrate-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.bin = filepath.Join(b.dir, "migrate")
	build := exec.CommandContext(ctx, "go", "build", "-o", b.bin, "github.com/ictmedia/schoolmail/examples/migrate")
	build.Stderr = stderr
	if err := build.Run(); err != nil {
		return err
	}

	if o.huge > 0 {
		return b.huge(o.huge)
	}
	if o.bound {
		return b.bound(layouts[2])
	}
	fmt.Fprintf(b.out, "Measured by `go run ./examples/migrate-bench` on %d cores (%s/%s): %s to Dovecot %s on loopback, Maildir, mail_fsync=never; the best of %d runs.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, b.sourceVersion(), b.targetVersion(), rounds+1)
	fmt.Fprintln(b.out, "| mail | tool | first run | messages/s | MB/s | unchanged run | run with 1 % new | peak memory |")
	fmt.Fprintln(b.out, "|---|---|---:|---:|---:|---:|---:|---:|")
	for i, l := range layouts {
		if err := b.layout(fmt.Sprintf("layout%d", i), l); err != nil {
			return err
		}
	}
	if err := b.memory(50 << 20 / o.scale); err != nil {
		return err
	}
	if o.nasty {
		return b.nasty()
	}
	return nil
}

// sourceVersion asks Cyrus for its name and version (RFC 2971).
func (b *bench) sourceVersion() string {
	c, err := cyrusd.Dial(b.from.IMAPAddr)
	if err != nil {
		return "Cyrus"
	}
	defer c.Close()
	c.Do("LOGIN layout0 %s", password)
	out, _ := c.Do("ID NIL")
	_, v, _ := strings.Cut(out, `"version" "`)
	v, _, _ = strings.Cut(v, `"`)
	return "Cyrus " + v
}

func (b *bench) targetVersion() string {
	out, _ := exec.CommandContext(b.ctx, "dovecot", "--version").Output()
	v, _, _ := strings.Cut(string(out), " ")
	return v
}
