package soap

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const instanceNil = `xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"`

// pieces are what users are made of here: elements that are nil in all the ways there
// are, elements that only look so, and what stands between them.
var pieces = []string{
	`<d:name ` + instanceNil + `/>`, `<d:day ` + instanceNil + `/>`, `<d:id ` + instanceNil + `/>`,
	`<d:on ` + instanceNil + `></d:on>`, `<d:quota j:nil="true"/>`, `<d:unknown ` + instanceNil + `/>`,
	`<d:name ` + instanceNil + `><d:id>9</d:id></d:name>`,
	`<d:name ` + instanceNil + `/>` + `<d:day ` + instanceNil + `/>`,
	`<d:alias ` + instanceNil + `/>`, `<d:number j:nil="true"/>`,
	`<d:name>Zoë</d:name>`, `<d:id>7</d:id>`, `<d:alias>a</d:alias>`, `<d:number>3</d:number>`, `<d:more>x</d:more>`,
	`<d:sub>`, `<d:sub xmlns:j="urn:j">`, `<d:sub xmlns:d="urn:e">`, `<d:subs>`, `</>`, "\n  ", `<!-- no -->`,
	`<d:name `, `<d:id>x</d:id>`, `<q:id ` + instanceNil + `/>`,
}

const broken = 3 // of the pieces, at the end

// users makes users of choices; a choice above the pieces begins another one.
func users(choices []byte) (list []string) {
	var b strings.Builder
	var open []string
	next := func() {
		for len(open) > 0 {
			b.WriteString(open[len(open)-1])
			open = open[:len(open)-1]
		}
		list = append(list, "<return>"+b.String()+"</return>")
		b.Reset()
	}
	for _, c := range choices {
		if int(c) >= len(pieces) {
			next()
			continue
		}
		piece := pieces[c]
		switch {
		case piece == `</>`:
			if len(open) > 0 {
				b.WriteString(open[len(open)-1])
				open = open[:len(open)-1]
			}
			continue
		case strings.HasPrefix(piece, `<d:subs`):
			open = append(open, `</d:subs>`)
		case strings.HasPrefix(piece, `<d:sub`):
			open = append(open, `</d:sub>`)
		}
		b.WriteString(piece)
	}
	next()
	return list
}

// readUsers reads users from an answer that comes in parts of a size.
func readUsers(list []string, size int) ([]*user, error) {
	text := `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><listResponse xmlns="urn:s" ` +
		`xmlns:d="urn:d" xmlns:j="http://www.w3.org/2001/XMLSchema-instance">` + strings.Join(list, "") +
		`</listResponse></e:Body></e:Envelope>`
	var resp listResponse
	err := decodeAnswer(opList, &chunked{b: []byte(text), n: size}, &resp, 200, 1<<20)
	return resp.Return_, err
}

// together reads users as one list and each alone, where no run of nil elements has
// come before: it is the same.
func together(t *testing.T, choices []byte, size int) {
	t.Helper()
	list := users(choices)
	all, err := readUsers(list, size)
	var each []*user
	for _, u := range list {
		one, e := readUsers([]string{u}, size)
		if e != nil {
			if err == nil {
				t.Fatalf("in a list it can be read, alone not: %v\n%s", e, u)
			}
			return
		}
		each = append(each, one...)
	}
	if err != nil {
		t.Fatalf("each can be read, but not the list: %v\n%s", err, strings.Join(list, "\n"))
	}
	if d := cmp.Diff(each, all); d != "" {
		t.Fatalf("alone (-) and in a list (+):\n%s\n%s", d, strings.Join(list, "\n"))
	}
}

func TestRunsOfNilChangeNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		// A user, and variations of it.
		var first, choices []byte
		for range 2 + rng.IntN(20) {
			first = append(first, byte(rng.IntN(len(pieces)-broken)))
		}
		for range 2 + rng.IntN(12) {
			for _, c := range first {
				switch {
				case rng.IntN(20) == 0:
					c = byte(rng.IntN(len(pieces) - broken))
				case rng.IntN(20) == 0:
					continue
				case rng.IntN(400) == 0:
					c = byte(len(pieces) - 1 - rng.IntN(broken))
				}
				choices = append(choices, c)
			}
			choices = append(choices, byte(len(pieces)))
		}
		together(t, choices, 1+rng.IntN(300))
	}
}

// A run that was read is passed over when it comes again, and not read; also one with
// elements that nobody has asked for, once they have come twice.
func TestRunsOfNilArePassedOver(t *testing.T) {
	t.Parallel()
	run := strings.Repeat(`<d:more `+instanceNil+`/>`, 50)
	const other = `<d:other>143</d:other>`
	for _, c := range []struct {
		name, run     string
		times, remain int // bytes that are remembered; what is read again is remembered again
	}{
		{"nil", run, 2, len(run)},
		{"nil, often", run, 9, len(run)},
		{"others", run + other + run, 9, len(run) + len(other) + len(run)},
		{"others that change", run + "<d:other>%</d:other>" + run, 9, len(run)},
	} {
		var text strings.Builder
		for n := range c.times {
			text.WriteString(`<return><d:id>1</d:id>` + strings.ReplaceAll(c.run, "%", strconv.Itoa(n)) +
				`<d:name>a</d:name></return>`)
		}
		d := decoder{scanner: newScanner(strings.NewReader(`<list xmlns="urn:s" xmlns:d="urn:d">`+text.String()+`</list>`),
			1<<20)}
		if ok, err := d.child(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		var resp listResponse
		err := d.structInto(planOf(reflect.TypeFor[listResponse]()), reflect.ValueOf(&resp).Elem())
		if err != nil || len(resp.Return_) != c.times {
			t.Fatal(err, len(resp.Return_))
		}
		if d.runs.size != c.remain {
			t.Errorf("%s: %d bytes of runs are remembered, want %d", c.name, d.runs.size, c.remain)
		}
	}
}

func FuzzRunsOfNil(f *testing.F) {
	f.Add([]byte{11, 0, 1, 2, 10, 255, 11, 0, 1, 2, 10}, 7)
	f.Add([]byte{15, 0, 1, 4, 19, 0, 1, 255, 16, 0, 1, 4, 19, 0, 1}, 1000)
	f.Fuzz(func(t *testing.T, choices []byte, size int) {
		if len(choices) > 300 {
			return
		}
		together(t, choices, 1+size&1023)
	})
}
