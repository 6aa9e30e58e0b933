package wsdldoc

import (
	"os"
	"strings"
	"testing"
)

func group(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../ox/internal/wsdl/OXGroupService.wsdl")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := Parse([]byte(group(t)))
	if err != nil {
		t.Fatal(err)
	}
	if d.Service != "OXGroupService" || len(d.Operations) != 13 || d.Operations[0].Output.Local != "" ||
		len(d.Schemas) != 6 {
		t.Errorf("got %+v", d)
	}
}

// TestRefusals: what is not understood is refused, not guessed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	whole := group(t)
	for name, edit := range map[string][2]string{
		"no XML":              {"<wsdl:types>", "<wsdl:types"},
		"choice":              {"<xs:sequence>", "<xs:choice/><xs:sequence>"},
		"attribute":           {"<xs:sequence>", "<xs:attribute name='a'/><xs:sequence>"},
		"any":                 {"<xs:sequence>", "<xs:sequence><xs:any/>"},
		"reference":           {`<xs:element name="ctx" type="D:Context"`, `<xs:element ref="D:ctx"`},
		"unqualified schema":  {` elementFormDefault="qualified"`, ""},
		"unqualified element": {`<xs:element name="ctx"`, `<xs:element form="unqualified" name="ctx"`},
		"bounded list":        {`maxOccurs="unbounded"`, `maxOccurs="5"`},
		"at least two":        {`minOccurs="0"`, `minOccurs="2"`},
		"undeclared prefix":   {`type="D:Context"`, `type="Q:Context"`},
		"undeclared type":     {`type="D:Context"`, `type="D:Nothing"`},
		"undeclared base":     {`base="S:Exception"`, `base="S:Nothing"`},
		"undeclared element":  {`element="S:addMember"`, `element="S:nothing"`},
		"undeclared message":  {`message="S:addMember"`, `message="S:nothing"`},
		"message of another":  {`message="S:addMember"`, `message="D:addMember"`},
		"rpc style":           {`<soap:binding style="document"`, `<soap:binding style="rpc"`},
		"two parts": {`element="S:addMember"/>`,
			`element="S:addMember"/><wsdl:part name="b" element="S:change"/>`},
		"two elements":      {`<xs:element name="change">`, `<xs:element name="addMember">`},
		"unbound operation": {`<wsdl:operation name="addMember">`, `<wsdl:operation name="addMember2">`},
		"no service":        {`<wsdl:service name="OXGroupService">`, `<wsdl:servicex name="OXGroupService">`},
		"request without a part": {`<wsdl:message name="addMember"><wsdl:part name="parameters" ` +
			`element="S:addMember"/></wsdl:message>`, `<wsdl:message name="addMember"/>`},
		"simple type": {"<xs:complexType name=\"Exception\">",
			"<xs:simpleType name=\"T\"/><xs:complexType name=\"Exception\">"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(whole, edit[0]) {
				t.Fatal("nothing to edit")
			}
			in := strings.Replace(whole, edit[0], edit[1], 1)
			if name == "no service" {
				in = strings.Replace(in, "</wsdl:service>", "</wsdl:servicex>", 1)
			}
			if _, err := Parse([]byte(in)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:p="http://schemas.xmlsoap.org/wsdl/soap/"
	 xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:s="urn:s" targetNamespace="urn:s"><w:types>
	 <x:schema targetNamespace="urn:s" elementFormDefault="qualified"><x:element name="a"><x:complexType><x:sequence>
	 <x:element name="b" type="s:T" minOccurs="0" maxOccurs="unbounded"/></x:sequence></x:complexType></x:element>
	 <x:element name="c" type="s:T"/><x:complexType name="T"><x:complexContent><x:extension base="s:T">` +
		`<x:sequence/></x:extension>
	 </x:complexContent></x:complexType></x:schema></w:types><w:message name="a"><w:part element="s:a"/>` +
		`</w:message><w:message name="v"/>
	 <w:portType name="P"><w:operation name="a"><w:input message="s:a"/><w:output message="s:v"/></w:operation>` +
		`</w:portType>
	 <w:binding name="B"><p:binding style="document"/><w:operation name="a"><p:operation soapAction="urn:a"/>` +
		`</w:operation></w:binding>
	 <w:service name="S"><w:port name="Q"/></w:service></w:definitions>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if d, err := Parse(data); (d == nil) == (err == nil) {
			t.Errorf("got %v and %v", d, err)
		}
	})
}
