package migrate

import (
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"time"

	"github.com/ictmedia/schoolmail/internal/humansize"
)

// WaveCertificate sums a wave's certificates up.
type WaveCertificate struct {
	Wave     string         `json:"wave"`
	Time     time.Time      `json:"time"`
	Accounts int            `json:"accounts"`
	Complete int            `json:"complete"` // accounts with nothing missing
	Failed   []string       `json:"failed,omitempty"`
	Messages int            `json:"messages"` // at the source
	Bytes    int64          `json:"bytes"`
	Missing  int            `json:"missing"`
	Each     []*Certificate `json:"each"`
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

//go:embed certificate.html
var certificateHTML string

var certificatePage = template.Must(template.New("certificate").Funcs(template.FuncMap{
	"bytes": humansize.Bytes,
}).Parse(certificateHTML))

// WriteHTML writes one self-contained page.
func (w *WaveCertificate) WriteHTML(to io.Writer) error { return certificatePage.Execute(to, w) }
