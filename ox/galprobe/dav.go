package galprobe

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// askCardDAV asks for folder 6 at the addresses under which OX offers CardDAV,
// and for the list of address books.
func askCardDAV(a *asker) {
	unknown := 0
	addresses := []string{"/carddav/6/", "/servlet/dav/carddav/6/", "/carddav/", "/servlet/dav/carddav/"}
	for _, path := range addresses {
		c := Call{Time: time.Now().UTC(), Request: "PROPFIND " + path}
		status, body, err := a.p.propfind(path)
		c.Status = status
		a.o.calls = append(a.o.calls, c)
		switch {
		case err != nil:
			a.o.failed = err
		case status == http.StatusMultiStatus && strings.HasSuffix(path, "/6/"):
			a.add(1, true)
		case status == http.StatusMultiStatus:
			if bytes.Contains(body, []byte("/carddav/6/")) {
				a.add(1, true)
			}
		case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
			unknown++
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			// No CardDAV for this account.
		default:
			a.o.failed = fmt.Errorf("galprobe: CardDAV answered with status %d", status)
		}
	}
	if unknown == len(addresses) {
		a.o.absent = len(addresses)
	}
}

const maxDAV = 16 << 20

func (p *prober) propfind(path string) (int, []byte, error) {
	const body = `<?xml version="1.0" encoding="UTF-8"?><propfind xmlns="DAV:"><prop><resourcetype/></prop></propfind>`
	req, err := http.NewRequestWithContext(p.ctx, "PROPFIND", p.run.davRoot+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("galprobe: CardDAV address: %w", err)
	}
	req.Header.Set("Depth", "1")
	req.Header.Set("Content-Type", "application/xml; charset=UTF-8")
	req.Header.Set("User-Agent", p.run.userAgent)
	req.SetBasicAuth(p.cred.Name, p.cred.Password.Reveal())
	resp, err := p.run.http.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("galprobe: CardDAV: %w", err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxDAV))
	if err != nil {
		return resp.StatusCode, nil, fmt.Errorf("galprobe: CardDAV: %w", err)
	}
	return resp.StatusCode, content, nil
}
