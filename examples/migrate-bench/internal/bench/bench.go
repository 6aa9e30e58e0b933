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
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

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
	away              time.Duration // to each server and back; 0 is loopback's own
}

type bench struct {
	ctx  context.Context
	out  io.Writer
	from *cyrusd.Server
	to   *dovecotd.Server
	dir  string
	bin  string // examples/migrate

	fromAddr, toAddr string // of the servers, for the tools: there may be a network in between

	before   string   // examples/migrate at an earlier commit
	imapsync string   // a script that is no part of this repository
	tools    []string // which take turns
	oldNames bool     // from has the names of Cyrus before 3.0
}

const usage = `migrate-bench measures examples/migrate, mbsync and Dovecot's dsync side by side
between the same two throwaway servers, Debian's Cyrus and Debian's Dovecot, and
prints the tables of the README. Where a row says "1 ms away", all that the tools say to
the servers and hear from them goes through a proxy that holds it back half of that each
way; dsync runs beside its target, so that only its source is away. It needs the Debian
packages dovecot-imapd and isync, and Cyrus as .ci/cyrus.sh unpacks it.

Usage:

  export SCHOOLMAIL_CYRUS_ROOT="$(.ci/cyrus.sh)"
  go run ./examples/migrate-bench                 the tables, some five minutes
  go run ./examples/migrate-bench -only 200.folders -before f92195a
                                                  one row of them, with an earlier version beside it
  go run ./examples/migrate-bench -imapsync FILE  with imapsync, from its public source
  go run ./examples/migrate-bench -huge 200000    one large folder, and 2,000 folders
  go run ./examples/migrate-bench -bound          what the servers alone need

Exit status: 0 done; 1 failed; 2 bad flags.

Flags:

`

// options are the flags.
type options struct {
	scale, huge  int
	nasty, bound bool
	only, before string
	tools        string
	imapsync     string
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
		"only measure what the last layout costs on the clock and on the processors, and what the servers alone need for it")
	f.StringVar(&o.only, "only", "", "only the layouts whose name matches this `regexp`, and nothing else")
	f.StringVar(&o.tools, "tools", strings.Join(tools, ","), "what to measure, a `list`")
	f.StringVar(&o.imapsync, "imapsync", "", "also measure imapsync, whose script is this `file`")
	f.StringVar(&o.before, "before", "",
		"also measure examples/migrate as it was at this `commit`, which needs a clone with history")
	if status, ok := f.Parse(args); !ok {
		return status
	}
	if _, err := regexp.Compile(o.only); err != nil {
		return f.Misused("-only: %v", err)
	}
	for tool := range strings.SplitSeq(o.tools, ",") {
		if !slices.Contains(tools, tool) {
			return f.Misused("-tools: %q is none of %s", tool, strings.Join(tools, ", "))
		}
	}
	if o.scale < 1 || o.scale > 100 || o.huge < 0 {
		return f.Misused("-scale is 1 to 100, -huge a number of messages")
	}
	if err := run(ctx, o, stdout, stderr); err != nil {
		return f.Fail(cli.Failed, err)
	}
	return cli.Done
}

// layouts are the mail that is measured.
func layouts(o options) []layout {
	all := []layout{
		{"5,000 small messages, 1 folder", 1, 5000, 2400, 0},
		{"20,000 small messages, 1 folder", 1, 20000, 2400, 0},
		{"5,000 small messages, 50 folders", 50, 100, 2400, 0},
		{"4,000 small messages, 200 folders", 200, 20, 2400, 0},
		{"4,000 small messages, 200 folders, 1 ms away", 200, 20, 2400, time.Millisecond},
		{"200 messages of 2 MB, 1 folder", 1, 200, 2 << 20, 0},
	}
	only := regexp.MustCompile(o.only)
	all = slices.DeleteFunc(all, func(l layout) bool { return !only.MatchString(l.name) })
	for i := range all {
		if o.scale > 1 {
			all[i].name += fmt.Sprintf(", divided by %d", o.scale)
		}
		if all[i].folders > 1 {
			all[i].folders = max(all[i].folders/o.scale, 2)
		} else {
			all[i].messages /= o.scale
		}
	}
	return all
}

// build makes examples/migrate, and beside it the one of an earlier commit.
func (b *bench) build(before string, stderr io.Writer) error {
	const program = "github.com/ictmedia/schoolmail/examples/migrate"
	command := func(dir, name string, args ...string) error {
		cmd := exec.CommandContext(b.ctx, name, args...)
		cmd.Dir, cmd.Stderr = dir, stderr
		return cmd.Run()
	}
	b.bin = filepath.Join(b.dir, "migrate")
	if err := command("", "go", "build", "-o", b.bin, program); err != nil || before == "" {
		return err
	}
	tree := filepath.Join(b.dir, "before")
	if err := os.Mkdir(tree, 0o700); err != nil {
		return err
	}
	if err := command("", "git", "archive", "-o", tree+".tar", before); err != nil {
		return err
	}
	if err := command(tree, "tar", "-xf", tree+".tar"); err != nil {
		return err
	}
	b.before = filepath.Join(b.dir, "migrate-before")
	return command(tree, "go", "build", "-o", b.before, program)
}

func run(ctx context.Context, o options, stdout, stderr io.Writer) error {
	if _, err := exec.LookPath("mbsync"); err != nil {
		return errors.New("mbsync is missing: install the Debian package isync")
	}
	layouts := layouts(o)
	if len(layouts) == 0 {
		return fmt.Errorf("-only %s: no such layout", o.only)
	}
	b := &bench{ctx: ctx, out: stdout, tools: strings.Split(o.tools, ",")}
	if o.before != "" {
		b.tools = slices.Insert(b.tools, 0, "before")
	}
	if o.imapsync != "" {
		b.tools, b.imapsync = append(b.tools, "imapsync"), o.imapsync
	}
	var users []cyrusd.User
	var targets []dovecotd.User
	for i := range layouts {
		src := fmt.Sprintf("layout%d", i)
		users = append(users, cyrusd.User{Name: src, Password: password})
		for _, tool := range b.tools {
			for r := range rounds + 1 {
				targets = append(targets, dovecotd.User{Name: targetOf(src, tool, r), Password: password})
			}
		}
	}
	boundUser := fmt.Sprintf("layout%d", len(layouts)-1)
	for _, size := range []int{0, 4, 16, 64} {
		for r := range rounds + 1 {
			targets = append(targets, dovecotd.User{Name: targetOf(boundUser, fmt.Sprintf("append%d", size), r),
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
	for _, tool := range b.tools {
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
	b.direct()
	if b.dir, err = os.MkdirTemp("", "migrate-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(o.before, stderr); err != nil {
		return err
	}

	if o.huge > 0 {
		return b.huge(o.huge)
	}
	if o.bound {
		return b.bound(boundUser, layouts[len(layouts)-1])
	}
	fmt.Fprintf(b.out, "Measured by `go run ./examples/migrate-bench` on %d cores (%s/%s): %s to Dovecot %s on "+
		"loopback, Maildir, mail_fsync=never; the best of %d runs.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, b.sourceVersion(), b.targetVersion(), rounds+1)
	fmt.Fprintln(b.out, "| mail | tool | first run | messages/s | MB/s | unchanged run | run with 1 % new | peak memory |")
	fmt.Fprintln(b.out, "|---|---|---:|---:|---:|---:|---:|---:|")
	for i, l := range layouts {
		if err := b.layout(fmt.Sprintf("layout%d", i), l); err != nil {
			return err
		}
	}
	if o.only != "" {
		return nil
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
