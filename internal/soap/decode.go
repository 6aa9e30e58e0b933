package soap

import (
	"encoding/xml"
	"errors"
	"io"
)

// decodeAnswer reads an answer into resp; see [Caller] for what resp may be.
func decodeAnswer(op *Operation, r io.Reader, resp any, status int, maxItem int64) error {
	d := xml.NewTokenDecoder(&nilFilter{xml.NewDecoder(r)})
	broken := func(reason string, err error) error {
		var syntax *xml.SyntaxError
		if errors.Is(err, io.EOF) || errors.As(err, &syntax) && syntax.Msg == "unexpected EOF" {
			reason, err = "answer is cut off", nil
		}
		return &ProtocolError{Op: op, Reason: reason, Err: err}
	}
	start, err := nextStart(d)
	if err == io.EOF && op.Void() && status != 500 {
		return nil // an empty 202
	}
	if err != nil {
		return broken("answer is no XML", err)
	}
	if start.Name != (xml.Name{Space: envelopeSpace, Local: "Envelope"}) {
		return &ProtocolError{Op: op, Reason: "answer is no SOAP 1.1 envelope"}
	}
	for {
		if start, err = nextStart(d); err != nil {
			return broken("answer has no body", err)
		}
		if start.Name == (xml.Name{Space: envelopeSpace, Local: "Body"}) {
			break
		}
		if err := d.Skip(); err != nil {
			return broken("answer is broken", err)
		}
	}
	start, err = nextStart(d)
	if err == errEnd {
		if op.Void() && status != 500 {
			return finish(d, op)
		}
		return &ProtocolError{Op: op, Reason: "answer has an empty body"}
	}
	if err != nil {
		return broken("answer is broken", err)
	}
	if start.Name == (xml.Name{Space: envelopeSpace, Local: "Fault"}) {
		var f xmlFault
		if err := d.DecodeElement(&f, &start); err != nil {
			return broken("fault is broken", err)
		}
		return f.fault(op, status)
	}
	if op.Void() || start.Name != op.Response {
		return &ProtocolError{Op: op, Reason: "answer has an unexpected element " + start.Name.Local}
	}
	if each, ok := resp.(Each); ok {
		for {
			start, err = nextStart(d)
			if err == errEnd {
				return finish(d, op)
			}
			if err != nil {
				return broken("answer is broken", err)
			}
			if start.Name.Local != "return" {
				if err := d.Skip(); err != nil {
					return broken("answer is broken", err)
				}
				continue
			}
			used := false
			err := each(func(v any) error {
				used = true
				if err := d.DecodeElement(v, &start); err != nil {
					return broken("answer is broken", err)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if !used {
				if err := d.Skip(); err != nil {
					return broken("answer is broken", err)
				}
			}
		}
	}
	if err := d.DecodeElement(resp, &start); err != nil {
		return broken("answer is broken", err)
	}
	return finish(d, op)
}

var errEnd = errors.New("end of element")

// nextStart returns the next start element, or errEnd at an end element.
func nextStart(d *xml.Decoder) (xml.StartElement, error) {
	for {
		tok, err := d.Token()
		if err != nil {
			return xml.StartElement{}, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t, nil
		case xml.EndElement:
			return xml.StartElement{}, errEnd
		}
	}
}

// finish reads to the end of the document, so that a cut-off answer is noticed.
func finish(d *xml.Decoder, op *Operation) error {
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return &ProtocolError{Op: op, Reason: "answer is broken", Err: err}
		}
	}
}

// nilFilter skips elements with xsi:nil.
type nilFilter struct{ d *xml.Decoder }

func (f *nilFilter) Token() (xml.Token, error) {
	for {
		tok, err := f.d.Token()
		start, ok := tok.(xml.StartElement)
		if err != nil || !ok || !isNil(start) {
			return tok, err
		}
		if err := f.d.Skip(); err != nil {
			return nil, err
		}
	}
}

func isNil(t xml.StartElement) bool {
	for _, a := range t.Attr {
		if a.Name.Space == instanceSpace && a.Name.Local == "nil" {
			return a.Value == "true" || a.Value == "1"
		}
	}
	return false
}

// xmlFault is a fault as encoding/xml reads it.
type xmlFault struct {
	Code   string `xml:"faultcode"`
	String string `xml:"faultstring"`
	Detail struct {
		Children []struct {
			XMLName xml.Name
		} `xml:",any"`
	} `xml:"detail"`
}

func (x *xmlFault) fault(op *Operation, status int) *Fault {
	f := &Fault{Op: op, Status: status, Code: localPart(x.Code)}
	f.Message, f.ExceptionIDs = parseFaultString(x.String)
	if len(x.Detail.Children) > 0 {
		f.Kind = x.Detail.Children[0].XMLName.Local
	}
	return f
}

func localPart(qname string) string {
	for i := len(qname) - 1; i >= 0; i-- {
		if qname[i] == ':' {
			return qname[i+1:]
		}
	}
	return qname
}
