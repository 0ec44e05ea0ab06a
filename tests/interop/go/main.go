// A queue's life with the AWS SDK for Go: prints "ok" when every step answered as AWS would.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	settings, err := config.LoadDefaultConfig(ctx)
	check(err)
	identity, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	check(err)
	if len(*identity.Account) != 12 {
		log.Fatalf("account %q", *identity.Account)
	}

	client := sqs.NewFromConfig(settings)
	name := fmt.Sprintf("go-%d.fifo", os.Getpid())
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName:  &name,
		Attributes: map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"},
	})
	check(err)
	for _, body := range []string{"1", "2", "3"} {
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: made.QueueUrl, MessageBody: aws.String(body), MessageGroupId: aws.String("group"),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"kind": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 1, 255}},
			},
		})
		check(err)
	}
	var bodies []string
	for len(bodies) < 3 {
		received, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: made.QueueUrl, MaxNumberOfMessages: 2, WaitTimeSeconds: 5, MessageAttributeNames: []string{"All"},
		})
		check(err)
		if len(received.Messages) == 0 {
			log.Fatal("nothing received")
		}
		for _, message := range received.Messages {
			bodies = append(bodies, *message.Body)
			if value := message.MessageAttributes["kind"].BinaryValue; string(value) != "\x00\x01\xff" {
				log.Fatalf("attribute %v", value)
			}
			_, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{
				QueueUrl: made.QueueUrl, ReceiptHandle: message.ReceiptHandle,
			})
			check(err)
		}
	}
	if !sort.StringsAreSorted(bodies) {
		log.Fatalf("out of order: %s", strings.Join(bodies, " "))
	}
	_, err = client.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: made.QueueUrl})
	check(err)
	_, err = client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	var gone *types.QueueDoesNotExist
	if !errors.As(err, &gone) {
		log.Fatalf("not the error of a queue that is gone: %v", err)
	}
	fmt.Println("ok")
}
