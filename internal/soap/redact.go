package soap

import (
	"bytes"
	"encoding/xml"
	"html"
	"io"
	"strings"
	"unicode"
)

const (
	extractRead = 64 << 10 // bytes of a foreign body that are looked at
	extractText = 200      // characters of it that reach an error
)

// extract returns the beginning of a foreign body as one line of plain text:
// markup, scripts and everything that the request called a password taken out.
func extract(r io.Reader, contentType string, request []byte) string {
	b, _ := io.ReadAll(io.LimitReader(r, extractRead))
	if bytes.IndexByte(b, 0) >= 0 || strings.HasPrefix(contentType, "image/") {
		return ""
	}
	text := stripMarkup(string(b))
	for _, s := range secrets(request) {
		text = strings.ReplaceAll(text, s, "[redacted]")
	}
	if runes := []rune(text); len(runes) > extractText {
		text = string(runes[:extractText]) + "..."
	}
	return text
}

// stripMarkup drops tags, comments and the content of script, style and
// password elements, and folds white space.
func stripMarkup(s string) string {
	var b strings.Builder
	skipTo := "" // the end tag up to which everything is dropped
	for s != "" {
		mark := "<"
		if skipTo != "" {
			mark = "</" // nothing else counts in there
		}
		i := strings.Index(s, mark)
		if i < 0 {
			i = len(s)
		}
		if skipTo == "" {
			b.WriteString(s[:i])
		}
		s = s[i:]
		if s == "" {
			break
		}
		end := strings.IndexByte(s, '>')
		if strings.HasPrefix(s, "<!--") {
			if n := strings.Index(s, "-->"); n >= 0 {
				end = n + 2
			} else {
				end = -1
			}
		}
		if end < 0 {
			break
		}
		tag := strings.ToLower(s[1:end])
		s = s[end+1:]
		b.WriteByte(' ')
		name := tag
		if n := strings.IndexFunc(tag, func(r rune) bool { return unicode.IsSpace(r) }); n >= 0 {
			name = tag[:n]
		}
		_, local, found := strings.Cut(name, ":")
		if !found {
			local = strings.TrimPrefix(name, "/")
		}
		switch {
		case skipTo != "":
			if strings.HasPrefix(name, "/") && local == skipTo {
				skipTo = ""
			}
		case strings.HasSuffix(tag, "/"), strings.HasPrefix(name, "/"):
		case local == "script", local == "style", strings.Contains(local, "password"):
			skipTo = local
		}
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(html.UnescapeString(b.String())), " "))
}

// secrets lists the texts of the request's password elements.
func secrets(request []byte) []string {
	var out []string
	dec := xml.NewDecoder(bytes.NewReader(request))
	in := false
	for {
		tok, err := dec.Token()
		if err != nil {
			return out
		}
		switch t := tok.(type) {
		case xml.StartElement:
			in = strings.Contains(strings.ToLower(t.Name.Local), "password")
		case xml.CharData:
			if in && len(t) > 0 {
				out = append(out, string(t))
			}
		case xml.EndElement:
			in = false
		}
	}
}
