package migrate

import (
	"embed"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/humansize"
	"github.com/ictmedia/schoolmail/internal/page"
)

// WaveCertificate sums a wave's certificates up.
type WaveCertificate struct {
	Wave     string         `json:"wave"`
	Site     string         `json:"site,omitempty"` // whose mailboxes they are
	From     string         `json:"from,omitempty"` // the servers, as people know them
	To       string         `json:"to,omitempty"`
	Time     time.Time      `json:"time"`
	Accounts int            `json:"accounts"`
	Complete int            `json:"complete"` // accounts with nothing missing
	Failed   []string       `json:"failed,omitempty"`
	Messages int            `json:"messages"` // at the source
	Bytes    int64          `json:"bytes"`
	Missing  int            `json:"missing"`
	Each     []*Certificate `json:"each"`
	// Language of the page: de, fr or en, and English by default.
	Language string `json:"-"`
}

// SumCertificates makes the certificate of a wave.
func SumCertificates(wave string, now time.Time, each []*Certificate) *WaveCertificate {
	w := &WaveCertificate{Wave: wave, Time: now.UTC().Truncate(time.Second), Accounts: len(each), Each: each}
	for _, c := range each {
		t := c.Total()
		w.Messages += t.SourceMessages
		w.Bytes += t.SourceBytes
		w.Missing += t.Missing
		if c.Complete {
			w.Complete++
		} else {
			w.Failed = append(w.Failed, c.Account)
		}
	}
	return w
}

// WriteJSON writes the certificate for machines.
func (w *WaveCertificate) WriteJSON(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(w)
}

//go:embed texts/*.json *.html.tmpl
var pageFiles embed.FS

var book = page.New(pageFiles)

// size is a number of bytes whose unit stays beside it.
func size(n int64) string { return strings.Replace(humansize.Bytes(n), " ", "\u00a0", 1) }

// mailboxView is a certificate as the page shows it.
type mailboxView struct {
	*Certificate
	ID                         int
	Stage, Size                string
	Messages, Missing          int
	Changed, Doubtful, Skipped string
	Folders                    []folderView
	Differences                []Difference
}

// folderView is a folder as the page shows it.
type folderView struct {
	Name, Source, Target, Besides string
	Equal, Missing                int
}

// WriteHTML writes one self-contained page, with a place to sign.
func (w *WaveCertificate) WriteHTML(to io.Writer) error {
	t := book.In(w.Language)
	v := struct {
		*WaveCertificate
		Heading, Size string
		Good          bool
		Each          []mailboxView
	}{WaveCertificate: w, Heading: t.Say("title"), Size: size(w.Bytes), Good: w.Complete == w.Accounts}
	if w.Wave != "" {
		v.Heading = t.Say("title.wave", w.Wave)
	}
	for i, c := range w.Each {
		v.Each = append(v.Each, c.view(t, i+1))
	}
	return book.Write(to, "certificate.html.tmpl", w.Language, v)
}

func (c *Certificate) view(t page.Texts, id int) mailboxView {
	sum := c.Total()
	v := mailboxView{Certificate: c, ID: id, Stage: t.Or("stage.", string(c.Stage)), Messages: sum.SourceMessages,
		Size: size(sum.SourceBytes), Missing: sum.Missing, Changed: strings.Join(c.Changed, ", "),
		Doubtful: strings.Join(c.Doubtful, ", "), Skipped: strings.Join(c.Skipped, "; ")}
	for _, f := range c.Folders {
		x := folderView{Name: f.Target, Source: t.Say("messages", f.SourceMessages, size(f.SourceBytes)),
			Target: t.Say("messages", f.TargetMessages, size(f.TargetBytes)), Equal: f.Equal, Missing: f.Missing}
		if from := strings.Join(f.Sources, ", "); from != f.Target {
			x.Name = from + " → " + f.Target
		}
		var besides []string
		for _, b := range []struct {
			key string
			n   int
		}{
			{"besides.digests", f.Digests}, {"besides.shared", f.Shared}, {"besides.removed", f.Removed},
			{"besides.content", f.Content}, {"besides.flags", f.Flags}, {"besides.dates", f.Dates},
			{"besides.extra", f.Extra}, {"besides.left-behind", f.LeftBehind},
		} {
			if b.n > 0 {
				besides = append(besides, t.Say(b.key, b.n))
			}
		}
		x.Besides = strings.Join(besides, ", ")
		v.Folders = append(v.Folders, x)
	}
	for _, d := range c.Differences {
		d.Kind = t.Or("difference.", d.Kind)
		v.Differences = append(v.Differences, d)
	}
	return v
}
