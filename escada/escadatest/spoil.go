package escadatest

import (
	"archive/zip"
	"bytes"
	"strings"

	"golang.org/x/text/encoding/charmap"

	"github.com/ictmedia/schoolmail/escada"
)

func only(cond bool, line string) string {
	if cond {
		return line
	}
	return ""
}

func cmpRune(r rune) string {
	if r == 0 {
		return ";"
	}
	return string(r)
}

func isXML(e Export) bool {
	for _, d := range e {
		if bytes.HasPrefix(bytes.TrimSpace(d), []byte("<")) {
			return true
		}
	}
	return false
}

func eachFile(f func([]byte) []byte) func(Export, *escada.Profile) bool {
	return func(e Export, _ *escada.Profile) bool {
		for name, d := range e {
			e[name] = f(d)
		}
		return true
	}
}

func eachText(f func(Export)) func(Export, *escada.Profile) bool {
	return func(e Export, p *escada.Profile) bool {
		if isXML(e) || p.Encoding != "" && p.Encoding != escada.EncodingAuto {
			return false
		}
		f(e)
		return true
	}
}

func eachLine(f func(i int, line string) string) func(Export, *escada.Profile) bool {
	return func(e Export, _ *escada.Profile) bool {
		if isXML(e) {
			return false
		}
		for name, d := range e {
			var b strings.Builder
			i := 0
			for line := range strings.Lines(string(d)) {
				b.WriteString(f(i, line))
				i++
			}
			e[name] = []byte(b.String())
		}
		return true
	}
}

func eachFields(f func([]string) []string) func(Export, *escada.Profile) bool {
	return func(e Export, p *escada.Profile) bool {
		for _, d := range e {
			if bytes.ContainsRune(d, '"') {
				return false
			}
		}
		delimiter := cmpRune(p.Delimiter)
		return eachLine(func(_ int, line string) string {
			body := strings.TrimRight(line, "\r\n")
			fields := strings.Split(body, delimiter)
			if len(fields) < 2 {
				return line
			}
			return strings.Join(f(fields), delimiter) + line[len(body):]
		})(e, p)
	}
}

func ids(id func(i int) string) func(Export, *escada.Profile) bool {
	return func(e Export, p *escada.Profile) bool {
		n := 0
		return len(p.Layout) == 0 && eachFields(func(f []string) []string {
			if n++; n > 1 {
				f[0] = id(n)
			}
			return f
		})(e, p)
	}
}

func mixEncodings(e Export, p *escada.Profile) bool {
	done := false
	for name, d := range e {
		half := len(d) / 2
		first, second := string(d[:half]), string(d[half:])
		if i := strings.IndexByte(second, '\n'); i >= 0 {
			first, second = first+second[:i+1], second[i+1:]
		}
		latin := letters(0)([]byte(second))
		if len(latin) < len(second) && strings.ContainsFunc(first, func(r rune) bool { return r > 0x7F }) {
			e[name] = append([]byte(first), latin...)
			done = true
		}
	}
	return done
}

func letters(lost byte) func([]byte) []byte {
	return func(d []byte) []byte {
		var out []byte
		for _, r := range string(d) {
			c, ok := charmap.Windows1252.EncodeRune(r)
			switch {
			case lost != 0 && r > 0x7F:
				out = append(out, lost)
			case ok:
				out = append(out, c)
			}
		}
		return out
	}
}

func encodeTwice(d []byte) []byte {
	var b bytes.Buffer
	for _, c := range d {
		b.WriteRune(charmap.Windows1252.DecodeByte(c))
	}
	return b.Bytes()
}

func lineEnds(end string) func([]byte) []byte {
	return func(d []byte) []byte {
		return []byte(strings.ReplaceAll(strings.ReplaceAll(string(d), "\r\n", "\n"), "\n", end))
	}
}

func joined(e Export, p *escada.Profile) bool {
	return eachLine(func() func(int, string) string {
		header := ""
		return func(i int, line string) string {
			if i == 0 {
				header = line
			}
			if i == 2 {
				return "\uFEFF" + header + line
			}
			return line
		}
	}())(e, p)
}

func zipped(e Export, _ *escada.Profile) bool {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range e.Names() {
		f, err := w.Create(name)
		if err != nil {
			return false
		}
		if _, err := f.Write(e[name]); err != nil {
			return false
		}
		delete(e, name)
	}
	if w.Close() != nil {
		return false
	}
	e["export.zip"] = b.Bytes()
	return true
}
