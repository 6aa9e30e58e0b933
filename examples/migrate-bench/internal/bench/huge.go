//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
)

// huge measures migrate on one folder with n messages and on n/100 folders.
func (b *bench) huge(n int) error {
	for _, l := range []layout{{name: "huge", folders: 1, messages: n, size: 300},
		{name: "wide", folders: n / 100, messages: 1, size: 300}} {
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
		fmt.Fprintf(b.out, "%d folders with %d messages each: first run %.1f s (%.0f/s, peak %.0f MB), unchanged %.2f s "+
			"(%.0f MB), 1 %% new in INBOX %.2f s (%.0f MB), one deletion in INBOX %.2f s (%.0f MB), state lost %.1f s (%.0f "+
			"MB), %d messages at the target\n",
			l.folders, l.messages, first.Seconds(), float64(l.folders*l.messages)/first.Seconds(), float64(peak)/1e6,
			second.Seconds(), float64(peak2)/1e6,
			third.Seconds(), float64(peak3)/1e6, deletion.Seconds(), float64(peak5)/1e6, lost.Seconds(), float64(peak4)/1e6,
			arrived)
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
	for _, cmd := range []string{"UID SEARCH RETURN (ALL) ALL",
		fmt.Sprintf("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %s VANISHED)", modseq)} {
		start := time.Now()
		out, err := c.Do("%s", cmd)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "%s: %.1f ms, %d bytes\n", cmd, time.Since(start).Seconds()*1e3, len(out))
	}
	return nil
}
