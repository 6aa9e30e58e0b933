package escada

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxElement is the longest that XML may go on without the end of a row.
const maxElement = 1 << 20

// xmlRows gives the elements of a name as rows, their texts by path.
type xmlRows struct {
	dec     *xml.Decoder
	guard   *elementGuard
	element string
	index   map[string]int // folded path -> field
	buf     [][]byte
	err     error
}

// elementGuard ends reading where a row does not end.
type elementGuard struct {
	src  io.Reader
	left int
}

var errElementLong = errors.New("an element is longer than 1048576 bytes")

func (g *elementGuard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errElementLong
	}
	n, err := g.src.Read(p[:min(len(p), 4096)])
	g.left -= n
	return n, err
}

func newXMLRows(src io.Reader, element string, titles []string) *xmlRows {
	x := &xmlRows{
		guard: &elementGuard{src, maxElement}, element: element,
		index: map[string]int{}, buf: make([][]byte, len(titles)),
	}
	for i, t := range titles {
		if _, ok := x.index[foldPath(t)]; !ok {
			x.index[foldPath(t)] = i
		}
	}
	x.dec = xml.NewDecoder(x.guard)
	x.dec.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		enc := Encoding(strings.ToLower(charset))
		if singleByte[enc] == nil {
			return nil, fmt.Errorf("encoding %q is not known", charset)
		}
		return newDecoder(input, enc), nil
	}
	return x
}

func (x *xmlRows) fields() [][]byte { return x.buf }

func (x *xmlRows) failure() error {
	if x.err == nil || errors.Is(x.err, io.EOF) {
		return nil
	}
	var bad *encodingError
	if errors.As(x.err, &bad) || errors.Is(x.err, errTooLong) {
		return x.err
	}
	line, _ := x.dec.InputPos()
	detail := "not well-formed"
	if errors.Is(x.err, errElementLong) {
		detail = errElementLong.Error()
	}
	return &xmlError{line, detail}
}

// xmlError says where XML ends being XML. It does not repeat what stands there.
type xmlError struct {
	line   int
	detail string
}

func (e *xmlError) Error() string { return e.detail }

// next finds the next element.
func (x *xmlRows) next() (row, bool) {
	for {
		tok, err := x.dec.Token()
		if err != nil {
			x.err = err
			return row{}, false
		}
		start, ok := tok.(xml.StartElement)
		if !ok || start.Name.Local != x.element {
			x.guard.left = maxElement
			continue
		}
		line, _ := x.dec.InputPos()
		if x.err = x.read(start); x.err != nil {
			return row{}, false
		}
		x.guard.left = maxElement
		return row{line: line, ended: true, isBlank: isBlank(x.buf)}, true
	}
}

// read takes the texts of one element.
func (x *xmlRows) read(start xml.StartElement) error {
	for i := range x.buf {
		x.buf[i] = nil
	}
	var stack []string
	x.attributes("", start)
	for {
		tok, err := x.dec.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			stack = append(stack, foldTitle(t.Name.Local))
			x.attributes(strings.Join(stack, "/")+"/", t)
		case xml.EndElement:
			if len(stack) == 0 {
				return nil
			}
			stack = stack[:len(stack)-1]
		case xml.CharData:
			x.set(strings.Join(stack, "/"), t)
		}
	}
}

func (x *xmlRows) attributes(path string, e xml.StartElement) {
	for _, a := range e.Attr {
		x.set(path+"@"+foldTitle(a.Name.Local), []byte(a.Value))
	}
}

// set keeps the text at a path. Of several elements at one path, which are
// separate values, each follows a line feed.
func (x *xmlRows) set(path string, text []byte) {
	i, ok := x.index[path]
	if text = trim(text); !ok || len(text) == 0 {
		return
	}
	if len(x.buf[i]) > 0 {
		x.buf[i] = append(x.buf[i], '\n')
	}
	x.buf[i] = append(x.buf[i], text...)
}
