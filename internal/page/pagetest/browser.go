package pagetest

import (
	"bufio"
	_ "embed" // for faults.js
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/internal/lacking"
)

// Browser is a Chromium without a window that looks at pages. It is spoken to by the
// DevTools protocol over a pipe, so that one process looks at all pages in all ways.
type Browser struct {
	tb      testing.TB
	to      *os.File
	from    *os.File
	answers *bufio.Reader
	session string
	number  int
}

// patience is how long an answer of the browser may take on a loaded machine.
const patience = 3 * time.Minute

// StartBrowser starts the browser for as long as the test runs, or skips it where none
// is installed.
func StartBrowser(tb testing.TB) *Browser {
	tb.Helper()
	var program string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		lacking.SkipAnyway(tb, "chromium (Debian package chromium): the pages are not looked at")
	}
	read, to, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	from, write, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program, "--headless=new", "--remote-debugging-pipe", "--no-sandbox",
		"--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--user-data-dir="+tb.TempDir())
	cmd.ExtraFiles = []*os.File{read, write} // descriptors 3 and 4
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	read.Close()
	write.Close()
	b := &Browser{tb: tb, to: to, from: from, answers: bufio.NewReaderSize(from, 1<<20)}
	tb.Cleanup(func() {
		b.session = ""
		b.send("Browser.close", nil) // it deletes its files itself
		cmd.Wait()
		to.Close()
		from.Close()
	})
	target := b.call("Target.createTarget", map[string]any{"url": "about:blank"})
	attached := b.call("Target.attachToTarget", map[string]any{"targetId": target["targetId"], "flatten": true})
	b.session, _ = attached["sessionId"].(string)
	b.call("Page.enable", nil)
	return b
}

func (b *Browser) send(method string, params map[string]any) int {
	b.number++
	m := map[string]any{"id": b.number, "method": method}
	if params != nil {
		m["params"] = params
	}
	if b.session != "" {
		m["sessionId"] = b.session
	}
	data, err := json.Marshal(m)
	if err == nil {
		_, err = b.to.Write(append(data, 0))
	}
	if err != nil {
		b.tb.Logf("%s: %v", method, err)
	}
	return b.number
}

type message struct {
	ID     int            `json:"id"`
	Method string         `json:"method"`
	Result map[string]any `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// next reads messages until one is wanted.
func (b *Browser) next(wanted func(*message) bool) *message {
	b.tb.Helper()
	if err := b.from.SetReadDeadline(time.Now().Add(patience)); err != nil {
		b.tb.Fatal(err)
	}
	for {
		data, err := b.answers.ReadBytes(0)
		if err != nil {
			b.tb.Fatalf("the browser: %v", err)
		}
		var m message
		if err := json.Unmarshal(data[:len(data)-1], &m); err != nil {
			b.tb.Fatalf("the browser: %v", err)
		}
		if wanted(&m) {
			return &m
		}
	}
}

func (b *Browser) call(method string, params map[string]any) map[string]any {
	b.tb.Helper()
	id := b.send(method, params)
	m := b.next(func(m *message) bool { return m.ID == id })
	if m.Error != nil {
		b.tb.Fatalf("the browser: %s: %s", method, m.Error.Message)
	}
	return m.Result
}

// View is how a page is looked at.
type View struct {
	Width int // in pixels
	Dark  bool
	Print bool // as on paper
}

// String names the view, for files.
func (v View) String() string {
	name := fmt.Sprint(v.Width)
	if v.Print {
		name = "print"
	}
	if v.Dark {
		name += "-dark"
	}
	return name
}

// Open opens a file in a view.
func (b *Browser) Open(file string, v View) {
	b.tb.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		b.tb.Fatal(err)
	}
	scheme, media := "light", "" // of the device; PDF prints as on paper then
	if v.Dark {
		scheme = "dark"
	}
	if v.Print {
		media = "print"
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": v.Width, "height": 900, "deviceScaleFactor": 1,
		"mobile": v.Width < 500})
	b.call("Emulation.setEmulatedMedia", map[string]any{"media": media,
		"features": []map[string]any{{"name": "prefers-color-scheme", "value": scheme}}})
	b.send("Page.navigate", map[string]any{"url": "file://" + path})
	b.next(func(m *message) bool { return m.Method == "Page.loadEventFired" })
}

// Ask evaluates an expression in the page and returns its value as JSON has it.
func (b *Browser) Ask(expression string) any {
	b.tb.Helper()
	answer := b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true})
	result, _ := answer["result"].(map[string]any)
	if answer["exceptionDetails"] != nil {
		b.tb.Fatalf("the browser: %v", answer["exceptionDetails"])
	}
	return result["value"]
}

// Picture takes a picture of the whole page, as PNG.
func (b *Browser) Picture() []byte {
	b.tb.Helper()
	return b.data("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true})
}

// PDF prints the page.
func (b *Browser) PDF() []byte {
	b.tb.Helper()
	return b.data("Page.printToPDF", map[string]any{"preferCSSPageSize": true, "printBackground": true})
}

func (b *Browser) data(method string, params map[string]any) []byte {
	b.tb.Helper()
	text, _ := b.call(method, params)["data"].(string)
	var data []byte
	if err := json.Unmarshal([]byte(`"`+text+`"`), &data); err != nil || len(data) == 0 {
		b.tb.Fatalf("the browser: %s: %v", method, err)
	}
	return data
}

// Faults looks for what somebody who looks at the page would not like: what is wider
// than the page, texts of a picture that lie upon each other or leave it, letters that
// are hard to read on their ground, and in print what stays folded.
func (b *Browser) Faults() []string {
	b.tb.Helper()
	list, _ := b.Ask(faults).([]any)
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprint(f))
	}
	return out
}

// faults is what Faults asks the page.
//
//go:embed faults.js
var faults string
