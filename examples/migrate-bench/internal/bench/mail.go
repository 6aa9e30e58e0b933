//go:build linux

package bench

import (
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
)

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
		box := folderName(f)
		if f > 0 {
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
			m := fmt.Sprintf("From: a@school.test\r\nTo: b@school.test\r\nSubject: message %d\r\n"+
				"Message-ID: <%d.%d.%s@school.test>\r\nDate: Mon, 2 Mar 2020 10:00:00 +0100\r\n\r\n", i, f, i, user)
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

// folderName is what the nth folder of a layout is called.
func folderName(n int) string {
	if n == 0 {
		return "INBOX"
	}
	return fmt.Sprintf("folder%02d", n)
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
