//go:build linux

package bench

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
)

// nasty compares the tools on an account with what each of them is known to
// lose, before and after a delta, read by go-imap's client.
func (b *bench) nasty() error {
	// The names of Cyrus before 3.0, where most migrations come from.
	old, err := cyrusd.Run(&cyrusd.Config{OldNames: true, Users: []cyrusd.User{{Name: "nasty", Password: password}}})
	if err != nil {
		return err
	}
	defer old.Close()
	young := b.from
	b.from, b.oldNames = old, true
	b.direct()
	defer func() {
		b.from, b.oldNames = young, false
		b.direct()
	}()
	c, err := cyrusd.Dial(b.from.IMAPAddr)
	if err != nil {
		return err
	}
	defer c.Close()
	var failed error
	do := func(format string, args ...any) {
		if _, err := c.Do(format, args...); err != nil && failed == nil {
			failed = err
		}
	}
	put := func(box, flags, date, text string) {
		if err := c.Append(box, flags, date, text); err != nil && failed == nil {
			failed = err
		}
	}
	do("LOGIN nasty %s", password)
	for _, f := range []string{"INBOX.Gesendet", "INBOX.~tilde", "INBOX.*stern", "INBOX.Entw&APw-rfe", "INBOX.a^b",
		"INBOX.Test", "INBOX.TEST", "INBOX.INBOX", "INBOX.inbox.unter"} {
		do("CREATE %q", f)
		put(f, `\Seen`, "01-Feb-2020 10:00:00 +0100", "Message-ID: <"+strings.Trim(f,
			"&")+"@x>\r\nSubject: in "+f+"\r\n\r\nx\r\n")
	}
	for range 3 {
		put("INBOX", `\Seen`, "01-Feb-2020 10:00:00 +0100", "Message-ID: <same@x>\r\nSubject: three times\r\n\r\nx\r\n")
		put("INBOX", "", "01-Feb-2020 10:00:00 +0100", "Subject: no id\r\n\r\nx\r\n")
	}
	put("INBOX", `\Deleted`, "01-Feb-2020 10:00:00 +0100", "Subject: deleted\r\n\r\nx\r\n")
	put("INBOX", `$Label1 NonJunk`, "01-Feb-2020 10:00:00 +0100", "Subject: keywords\r\n\r\nx\r\n")
	put("INBOX", "", "01-Jan-2031 10:00:00 +0100", "Subject: from the future\r\n\r\nx\r\n")
	put("INBOX", "", "01-Feb-2020 10:00:00 +0100", "Subject: 8 bit \xe4\xf6\xfc\r\n\r\n\xff\x80 lone \r cr\r\n")
	if failed != nil {
		return failed
	}
	fmt.Fprintln(b.out, "\n| nasty account | tool | messages | byte for byte | flags and keywords equal | after a "+
		"delta: messages | byte for byte | flags and keywords equal |")
	fmt.Fprintln(b.out, "|---|---|---:|---:|---:|---:|---:|---:|")
	results := map[string][]string{}
	round := func() error {
		want, err := snapshot(b.from.IMAPAddr, "nasty")
		if err != nil {
			return err
		}
		for _, tool := range b.tools {
			_, _, err := b.tool(tool, "nasty", 0)
			got, e := snapshot(b.to.IMAPAddr, "nasty"+tool)
			if e != nil {
				return e
			}
			bytes := common(want, got, func(m seen) string { return m.digest })
			flags := common(want, got, func(m seen) string { return m.digest + m.flags })
			note := ""
			if err != nil {
				note = " (" + err.Error() + ")"
			}
			results[tool] = append(results[tool], fmt.Sprintf("%d of %d%s | %d | %d", len(got), len(want), note, bytes, flags))
		}
		return nil
	}
	if err := round(); err != nil {
		return err
	}
	do("SELECT INBOX")
	do("MOVE 1:2 INBOX.Gesendet")
	do("STORE 1 +FLAGS (\\Flagged)")
	do("STORE 3 +FLAGS (\\Deleted)")
	do("EXPUNGE")
	put("INBOX", "", "01-Feb-2020 10:00:00 +0100", "Message-ID: <same@x>\r\nSubject: three times\r\n\r\nx\r\n")
	if failed != nil {
		return failed
	}
	if err := round(); err != nil {
		return err
	}
	for _, tool := range b.tools {
		fmt.Fprintf(b.out, "| | %s | %s |\n", tool, strings.Join(results[tool], " | "))
	}
	return nil
}

type seen struct{ digest, flags string }

// look reads one message.
func look(m *imapclient.FetchMessageData) (s seen, err error) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataFlags:
			var flags []string
			for _, f := range item.Flags {
				if !strings.EqualFold(string(f), `\Recent`) {
					flags = append(flags, strings.ToLower(string(f)))
				}
			}
			slices.Sort(flags)
			s.flags = strings.Join(flags, " ")
		case imapclient.FetchItemDataBodySection:
			h := sha256.New()
			if _, err := io.Copy(h, item.Literal); err != nil {
				return s, err
			}
			s.digest = fmt.Sprintf("%x", h.Sum(nil))
		}
	}
	return s, nil
}

// snapshot reads all messages of an account.
func snapshot(addr, user string) ([]seen, error) {
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.Login(user, password).Wait(); err != nil {
		return nil, err
	}
	boxes, err := c.List("", "*", nil).Collect()
	if err != nil {
		return nil, err
	}
	var out []seen
	for _, b := range boxes {
		if slices.Contains(b.Attrs, imap.MailboxAttrNoSelect) || slices.Contains(b.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		sel, err := c.Select(b.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			return nil, err
		}
		if sel.NumMessages == 0 {
			continue
		}
		section := &imap.FetchItemBodySection{Peek: true}
		cmd := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Flags: true,
			BodySection: []*imap.FetchItemBodySection{section}})
		for m := cmd.Next(); m != nil; m = cmd.Next() {
			s, err := look(m)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		if err := cmd.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// common counts equal messages, as multisets.
func common(a, b []seen, key func(seen) string) int {
	n := map[string]int{}
	for _, m := range a {
		n[key(m)]++
	}
	both := 0
	for _, m := range b {
		if n[key(m)] > 0 {
			n[key(m)]--
			both++
		}
	}
	return both
}
