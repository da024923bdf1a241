package main

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"github.com/FISCO-BCOS/go-sdk/client"
	"github.com/FISCO-BCOS/go-sdk/conf"
)

type driver struct {
	sdk      *client.Client
	label    string
	messages int64
}

func newDriver() *driver { return &driver{} }

func (d *driver) run(request command) answer {
	result := answer{ID: request.ID}
	var err error
	if d.sdk == nil && request.Command != "connect" {
		err = errors.New("not connected")
	} else {
		switch request.Command {
		case "connect":
			err = d.connect(request)
			result.SDK = sdkVersion()
		case "subscribe":
			err = d.sdk.SubscribeTopic(request.Topic, d.handler(request.Topic))
		case "unsubscribe":
			err = d.sdk.UnsubscribeTopic(request.Topic)
		case "unicast":
			result.Payload, err = d.sdk.SendAMOPMsg(request.Topic, request.Payload)
		case "multicast":
			err = d.sdk.BroadcastAMOPMsg(request.Topic, request.Payload)
		case "subscribePrivate":
			err = d.subscribePrivate(request)
		case "unsubscribePrivate":
			err = d.sdk.UnsubscribePrivateTopic(request.Topic)
		case "publishPrivate":
			err = d.publishPrivate(request)
		case "unpublishPrivate":
			// UnsubscribePrivateTopic refuses a topic that the client does not receive.
			err = d.sdk.UnsubscribeTopic("#!$PushChannel_#!$TopicNeedVerify_" + request.Topic)
		case "unicastPrivate":
			result.Payload, err = d.sdk.SendAMOPPrivateMsg(request.Topic, request.Payload)
		case "multicastPrivate":
			err = d.sdk.BroadcastAMOPPrivateMsg(request.Topic, request.Payload)
		case "peers":
			result.Topics, err = d.peers()
		case "status":
			result.SDK = sdkVersion()
			result.Messages = int(atomic.LoadInt64(&d.messages))
		default:
			err = errors.New("no such command: " + request.Command)
		}
	}
	result.OK = err == nil
	if err != nil {
		result.Error = err.Error()
		result.Code = codeOf(result.Error)
	}
	return result
}

func (d *driver) connect(request command) error {
	file := func(name string) string { return filepath.Join(request.Certificates, name) }
	d.label = request.Label
	sdk, err := client.Dial(&conf.Config{
		ChainID: 1,
		GroupID: 1,
		NodeURL: request.Peer,
		CAFile:  file("ca.crt"),
		Cert:    file("sdk.crt"),
		Key:     file("sdk.key"),
		// An account key, of no use here; v1.0.0 insists on one.
		PrivateKey: append(make([]byte, 31), 1),
	})
	d.sdk = sdk
	return err
}

// Answers every message with the label and what came.
func (d *driver) handler(topic string) func([]byte, *[]byte) {
	return func(payload []byte, reply *[]byte) {
		atomic.AddInt64(&d.messages, 1)
		*reply = append([]byte(d.label+":"), payload...)
		writeLine(message{Event: "message", Topic: topic, Payload: payload})
	}
}

func (d *driver) peers() ([]string, error) {
	peers, err := d.sdk.GetPeers(context.Background())
	if err != nil {
		return nil, err
	}
	topics := []string{}
	for _, peer := range *peers {
		topics = append(topics, peer.Topic...)
	}
	return topics, nil
}

var codeText = regexp.MustCompile(`error(?: code|:) (-?\d+)`)

// The SDK knows codes only as words in an error.
func codeOf(text string) int {
	found := codeText.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	code, _ := strconv.Atoi(found[1])
	return code
}

func sdkVersion() string {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/FISCO-BCOS/go-sdk" {
				return "go-sdk " + module.Version
			}
		}
	}
	return "go-sdk ?"
}
