package migrate

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"time"
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
	"bytes": Bytes,
}).Parse(certificateHTML))

// WriteHTML writes one self-contained page.
func (w *WaveCertificate) WriteHTML(to io.Writer) error { return certificatePage.Execute(to, w) }

// Bytes writes a size for people, "1.5 MB", in steps of 1,000.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if v /= 1000; v < 1000 {
			return fmt.Sprintf("%.1f %s", v, unit)
		}
	}
	return fmt.Sprintf("%.1f PB", v/1000)
}
