//go:build linux

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// rounds are the additional first runs, each into an empty target of its own.
const rounds = 2

func (b *bench) layout(user string, l layout) error {
	bytes, err := b.fill(user, l, 0, l.messages)
	if err != nil {
		return err
	}
	end, err := b.network(l.away)
	if err != nil {
		return err
	}
	defer end()
	total := l.folders * l.messages
	type figures struct {
		first, second, third time.Duration
		peak                 int64
		note                 string
	}
	all := map[string]*figures{}
	for _, tool := range b.tools {
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
		for _, tool := range b.tools {
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
		for _, tool := range b.tools {
			took, peak, err := b.tool(tool, user, 0)
			f := all[tool]
			if f.second == 0 || took < f.second {
				f.second = took
			}
			f.peak = max(f.peak, peak)
			note(tool, err)
		}
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if _, err := b.fill(user, l, l.messages, l.messages+max(l.messages/100, 1)); err != nil {
		return err
	}
	for _, tool := range b.tools {
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
		fmt.Fprintf(b.out, "| %s | %s%s | %.2f s | %.0f | %.1f | %.2f s | %.2f s | %.0f MB |\n", l.name, tool, f.note, s,
			float64(total)/s, float64(bytes)/1e6/s, f.second.Seconds(), f.third.Seconds(), float64(f.peak)/1e6)
	}
	return nil
}

const bigMailboxes = 8

// memory runs migrate on eight mailboxes at once, with messages of 50 MB.
func (b *bench) memory(size int) error {
	var list strings.Builder
	list.WriteString("name,source,target,source_password,target_password\n")
	for i := range bigMailboxes {
		user := fmt.Sprintf("big%d", i)
		if _, err := b.fill(user, layout{folders: 1, size: size}, 0, 2); err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s,%s,%s,%s,%s\n", user, user, user, password, password)
	}
	users := filepath.Join(b.dir, "big.csv")
	if err := os.WriteFile(users, []byte(list.String()), 0o600); err != nil {
		return err
	}
	took, peak, err := b.measure("migrate", exec.Command(b.bin, "-insecure", "-from", "imap://"+b.from.IMAPAddr, "-to",
		"imap://"+b.to.IMAPAddr,
		"-users", users, "-parallel", fmt.Sprint(bigMailboxes), "-state", filepath.Join(b.dir, "state")))
	if err != nil {
		return err
	}
	bytes := float64(bigMailboxes * 2 * size)
	fmt.Fprintf(b.out, "\n%d mailboxes at once, 2 messages of %d MB each: %.1f s, %.0f MB/s, peak memory of the process "+
		"%.0f MB.\n", bigMailboxes, size>>20, took.Seconds(), bytes/1e6/took.Seconds(), float64(peak)/1e6)
	return nil
}
