package soap

import (
	"strings"
	"testing"
)

func TestExtract(t *testing.T) {
	t.Parallel()
	request := []byte(`<a xmlns:r="urn:r"><r:login>me</r:login><r:password>s3&amp;cret</r:password><r:transportPassword>` +
		`other</r:transportPassword></a>`)
	for _, tt := range []struct{ name, contentType, in, want string }{
		{"plain", "text/plain", " no\n route ", "no route"},
		{"html", "text/html", "<html><head><style>x{}</style></head><body><h1>Bad&nbsp;Gateway</h1><!-- > secret " +
			"--><p>nginx</p></body>", "Bad Gateway nginx"},
		{"script", "text/html", "<script type='a'>if (1<2) {}</script>after", "after"},
		{"password element", "text/xml", "<x:password>zzz</x:password><name>n</name>", "n"},
		{"request's secrets", "text/html", "you sent s3&amp;cret and other", "you sent [redacted] and [redacted]"},
		{"cut off tag", "text/html", "one <b", "one"},
		{"cut off comment", "text/html", "one <!-- two", "one"},
		{"image", "image/png", "PNG", ""},
		{"binary", "application/octet-stream", "a\x00b", ""},
		{"control characters", "text/plain", "a\x1b[31mb", "a[31mb"},
		{"long", "text/plain", strings.Repeat("é", 300), strings.Repeat("é", 200) + "..."},
		{"empty", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := extract(strings.NewReader(tt.in), tt.contentType, request); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzExtract(f *testing.F) {
	f.Add("<html><b>x</b><password>y</password>&amp;</html>")
	f.Add("<!-- --><script></script><x/ >")
	f.Fuzz(func(t *testing.T, in string) {
		got := extract(strings.NewReader(in), "text/html", []byte("<password>hunter2</password>"))
		if strings.Contains(got, "hunter2") || len([]rune(got)) > extractText+3 || strings.ContainsAny(got, "\n\r\x1b") {
			t.Errorf("got %q", got)
		}
	})
}

func TestFaultStrings(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Fault{
		"plain":                {Message: "plain"},
		"a; exceptionId -12-3": {Message: "a", ExceptionIDs: []string{"-12-3"}},
		"a; exceptionId 1-2; exceptionId 3-4; exceptionId 5-6": {Message: "a", ExceptionIDs: []string{"1-2", "3-4", "5-6"}},
		"outer: inner; exceptionId 1-2, really": {Message: "outer: inner, really",
			ExceptionIDs: []string{"1-2"}},
		"; exceptionId ": {Message: "; exceptionId"},
		"":               {},
	} {
		message, ids := parseFaultString(in)
		if message != want.Message || strings.Join(ids, " ") != strings.Join(want.ExceptionIDs, " ") {
			t.Errorf("%q: got %q, %v", in, message, ids)
		}
	}
}
