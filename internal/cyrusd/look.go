package cyrusd

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// Seen is a message as an independent reader, go-imap's client, sees it.
type Seen struct {
	UID    imap.UID
	Size   int64    // as the server says
	Flags  []string // lower case, sorted, without \Recent
	Date   string   // internal date in UTC, RFC 3339
	Length int64    // of the text
	Digest string   // of the text, shortened
}

// Look reads a whole account of any IMAP server and calls each for every folder
// that can be opened.
func Look(tb testing.TB, addr, user, password string, each func(folder string, sel *imap.SelectData, list []Seen)) {
	tb.Helper()
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		tb.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(user, password).Wait(); err != nil {
		tb.Fatal(err)
	}
	folders, err := c.List("", "*", nil).Collect()
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range folders {
		if slices.Contains(f.Attrs, imap.MailboxAttrNoSelect) || slices.Contains(f.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		sel, err := c.Select(f.Mailbox, &imap.SelectOptions{ReadOnly: true}).Wait()
		if err != nil {
			tb.Fatalf("%s: %v", f.Mailbox, err)
		}
		var list []Seen
		if sel.NumMessages > 0 {
			cmd := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{UID: true, Flags: true, InternalDate: true,
				RFC822Size: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
			for m := cmd.Next(); m != nil; m = cmd.Next() {
				list = append(list, seen(m))
			}
			if err := cmd.Close(); err != nil {
				tb.Fatalf("%s: %v", f.Mailbox, err)
			}
		}
		each(f.Mailbox, sel, list)
	}
}

func seen(m *imapclient.FetchMessageData) (s Seen) {
	for item := m.Next(); item != nil; item = m.Next() {
		switch item := item.(type) {
		case imapclient.FetchItemDataUID:
			s.UID = item.UID
		case imapclient.FetchItemDataFlags:
			for _, f := range item.Flags {
				if !strings.EqualFold(string(f), `\Recent`) {
					s.Flags = append(s.Flags, strings.ToLower(string(f)))
				}
			}
			slices.Sort(s.Flags)
		case imapclient.FetchItemDataRFC822Size:
			s.Size = item.Size
		case imapclient.FetchItemDataInternalDate:
			s.Date = item.Time.UTC().Format(time.RFC3339)
		case imapclient.FetchItemDataBodySection:
			h := sha256.New()
			s.Length, _ = io.Copy(h, item.Literal)
			s.Digest = fmt.Sprintf("%x", h.Sum(nil)[:6])
		}
	}
	return s
}
