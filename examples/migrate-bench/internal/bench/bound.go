//go:build linux

package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// cost is what one run took: on the clock, and on the processors by the
// program and by each server. The latter two suffer less from a busy machine.
type cost struct{ wall, tool, source, target time.Duration }

func (c cost) String() string {
	return fmt.Sprintf("%.2f s | %.2f s | %.2f s | %.2f s | %.2f s", c.wall.Seconds(), c.tool.Seconds(),
		c.source.Seconds(), c.target.Seconds(),
		(c.tool + c.source + c.target).Seconds())
}

// bound measures what large messages cost at least: the same 400 MB only
// fetched, only appended, and brought over by each tool.
func (b *bench) bound(user string, l layout) error {
	bytes, err := b.fill(user, l, 0, l.messages)
	if err != nil {
		return err
	}
	end, err := b.network(l.away)
	if err != nil {
		return err
	}
	defer end()
	type way struct {
		name string
		run  func(round int) (time.Duration, error)
	}
	batch := func(size int64) func(int) (time.Duration, error) {
		return func(r int) (time.Duration, error) {
			return b.appendOnly(targetOf(user, fmt.Sprintf("append%d", size>>20), r), l, size)
		}
	}
	ways := []way{
		{"FETCH, discarded", func(int) (time.Duration, error) { return b.fetchOnly(user) }},
		{"APPEND, one message each", batch(1)},
		{"MULTIAPPEND, 4 MiB", batch(4 << 20)},
		{"MULTIAPPEND, 16 MiB", batch(16 << 20)},
		{"MULTIAPPEND, 64 MiB", batch(64 << 20)},
	}
	if l.folders > 1 {
		ways = []way{
			{"source: LOGIN and LIST with states, 10 times", func(int) (time.Duration, error) {
				return b.loginOnly(b.from.IMAPAddr, user, true)
			}},
			{"source: EXAMINE of each", func(int) (time.Duration, error) { return b.visit(user, l, "", "") }},
			{"source: EXAMINE and FETCH of each, discarded",
				func(int) (time.Duration, error) { return b.visit(user, l, "", "BODY.PEEK[]") }},
			{"source: EXAMINE, SEARCH and FETCH of each with flags, dates and digests, discarded",
				func(int) (time.Duration, error) {
					return b.visit(user, l, "ALL", "FLAGS INTERNALDATE RFC822.SIZE DIGEST.SHA1 BODY.PEEK[]")
				}},
			{"target: LOGIN, 10 times", func(r int) (time.Duration, error) {
				return b.loginOnly(b.to.IMAPAddr, targetOf(user, "append0", r), false)
			}},
			{"target: CREATE of each", func(r int) (time.Duration, error) {
				return b.createOnly(targetOf(user, "append0", r), l, false)
			}},
			{"target: CREATE and MULTIAPPEND of each, from memory", func(r int) (time.Duration, error) {
				return b.createOnly(targetOf(user, "append4", r), l, true)
			}},
		}
	}
	for _, tool := range b.tools {
		ways = append(ways, way{tool, func(r int) (time.Duration, error) {
			cmd := b.command(tool, user, r)
			_, _, err := b.measure(tool, cmd)
			return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), err
		}})
	}
	best := make([]cost, len(ways))
	for r := rounds; r >= 0; r-- {
		for i, w := range ways {
			src, dst := treeTime(b.from.Dir), treeTime(b.to.Dir)
			start := time.Now()
			own, err := w.run(r)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			c := cost{time.Since(start), own, treeTime(b.from.Dir) - src, treeTime(b.to.Dir) - dst}
			if r == rounds || c.wall < best[i].wall {
				best[i] = c
			}
		}
	}
	fmt.Fprintf(b.out, "%s, %.0f MB; the best of %d runs.\n\n", l.name, float64(bytes)/1e6, rounds+1)
	fmt.Fprintln(b.out, "| what | time | processor: program | source | target | all |")
	fmt.Fprintln(b.out, "|---|---:|---:|---:|---:|---:|")
	for i, w := range ways {
		fmt.Fprintf(b.out, "| %s | %s |\n", w.name, best[i])
	}
	return nil
}

func (b *bench) login(addr, user string) (*imapwire.Client, error) {
	c, err := imapwire.Dial(context.Background(), addr, &imapwire.Options{TLS: imapwire.NoTLS})
	if err != nil {
		return nil, err
	}
	if err := c.Login(context.Background(), user, password); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (b *bench) fetchOnly(user string) (time.Duration, error) {
	own := treeTime("")
	c, err := b.login(b.from.IMAPAddr, user)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Select(context.Background(), "INBOX", true); err != nil {
		return 0, err
	}
	err = c.Fetch(context.Background(), imapwire.Set{{First: 1, Last: 1 << 31}}, "BODY.PEEK[]", "",
		func(_ *imapwire.Message, body io.Reader, _ int64) error {
			_, err := io.Copy(io.Discard, body)
			return err
		})
	return treeTime("") - own, err
}

// loginOnly logs in ten times, and perhaps lists the folders with their states.
func (b *bench) loginOnly(addr, user string, list bool) (time.Duration, error) {
	own := treeTime("")
	for range 10 {
		c, err := b.login(addr, user)
		if err == nil && list {
			_, err = c.List(context.Background(), true)
		}
		if err != nil {
			return 0, err
		}
		if err := c.Logout(context.Background()); err != nil {
			return 0, err
		}
	}
	return treeTime("") - own, nil
}

// visit opens each folder at the source, looks for its messages, and fetches items of all of them.
func (b *bench) visit(user string, l layout, search, items string) (time.Duration, error) {
	own := treeTime("")
	c, err := b.login(b.from.IMAPAddr, user)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for i := range l.folders {
		if _, err := c.Select(context.Background(), folderName(i), true); err != nil {
			return 0, err
		}
		if search != "" {
			if _, err := c.Search(context.Background(), search); err != nil {
				return 0, err
			}
		}
		if items == "" {
			continue
		}
		if err := c.Fetch(context.Background(), imapwire.Set{{First: 1, Last: 1 << 31}}, items, "",
			func(_ *imapwire.Message, body io.Reader, _ int64) error {
				_, err := io.Copy(io.Discard, body)
				return err
			}); err != nil {
			return 0, err
		}
	}
	return treeTime("") - own, err
}

// createOnly makes the folders at the target, as many commands at a time as it takes, and
// fills each from memory.
func (b *bench) createOnly(user string, l layout, fill bool) (time.Duration, error) {
	own := treeTime("")
	c, err := b.login(b.to.IMAPAddr, user)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	var names []string
	for i := range l.folders {
		if i > 0 {
			names = append(names, folderName(i))
		}
	}
	if _, err := c.CreateAll(context.Background(), names...); err != nil || !fill {
		return treeTime("") - own, err
	}
	for i := range l.folders {
		if err := appendAll(c, folderName(i), l, 1<<40); err != nil {
			return 0, err
		}
	}
	return treeTime("") - own, nil
}

func (b *bench) appendOnly(user string, l layout, size int64) (time.Duration, error) {
	own := treeTime("")
	c, err := b.login(b.to.IMAPAddr, user)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if err := appendAll(c, "INBOX", l, size); err != nil {
		return 0, err
	}
	return treeTime("") - own, nil
}

// appendAll stores a folder's messages, as many bytes at a time as size.
func appendAll(c *imapwire.Client, folder string, l layout, size int64) error {
	line := strings.Repeat("x", 76) + "\r\n"
	head := "Subject: bound\r\n\r\n"
	m := head + strings.Repeat(line, (l.size-len(head))/len(line))
	for left := l.messages; left > 0; {
		a := c.Append(context.Background(), folder)
		for n := int64(0); left > 0 && (n == 0 || n+int64(len(m)) <= size); n += int64(len(m)) {
			if err := a.Add(nil, time.Time{}, int64(len(m)), strings.NewReader(m), false); err != nil {
				return err
			}
			left--
		}
		if _, err := a.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// treeTime is the processor time of the server whose directory is named in
// its command line, with all of its children, dead ones included; with "" that of this process.
func treeTime(dir string) time.Duration {
	parent, spent := map[int]int{}, map[int]int64{}
	var roots []int
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range procs {
		pid, _ := strconv.Atoi(filepath.Base(p))
		stat, err := os.ReadFile(p + "/stat")
		if err != nil {
			continue
		}
		f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		parent[pid], _ = strconv.Atoi(f[1])
		last := 15 // utime, stime, cutime, cstime
		if dir == "" {
			last = 13
		}
		for _, s := range f[11:last] {
			n, _ := strconv.ParseInt(s, 10, 64)
			spent[pid] += n
		}
		cmd, _ := os.ReadFile(p + "/cmdline")
		if dir == "" && pid == os.Getpid() || dir != "" && strings.Contains(string(cmd), dir+"/") {
			roots = append(roots, pid)
		}
	}
	var sum int64
	for pid := range parent {
		for at, n := pid, 0; at > 1 && n < 50; at, n = parent[at], n+1 {
			if slices.Contains(roots, at) {
				if dir != "" || at == pid {
					sum += spent[pid]
				}
				break
			}
		}
	}
	return time.Duration(sum) * 10 * time.Millisecond
}
