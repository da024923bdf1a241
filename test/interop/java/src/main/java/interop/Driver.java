package interop;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.fisco.bcos.sdk.BcosSDK;
import org.fisco.bcos.sdk.BcosSDKException;
import org.fisco.bcos.sdk.amop.AmopCallback;
import org.fisco.bcos.sdk.amop.AmopMsgOut;
import org.fisco.bcos.sdk.amop.AmopResponse;
import org.fisco.bcos.sdk.amop.AmopResponseCallback;
import org.fisco.bcos.sdk.amop.topic.AmopMsgIn;
import org.fisco.bcos.sdk.amop.topic.TopicType;
import org.fisco.bcos.sdk.crypto.keystore.KeyTool;
import org.fisco.bcos.sdk.crypto.keystore.P12KeyStore;
import org.fisco.bcos.sdk.crypto.keystore.PEMKeyStore;

/** One SDK instance and what it is told to do. A command is answered once, by {@code reply}. */
final class Driver {
    private static final long UNICAST_TIMEOUT_MS = 15_000;

    private final AtomicInteger messages = new AtomicInteger();
    private BcosSDK sdk;
    private String label;

    void run(JsonNode command, ObjectNode answer, Consumer<ObjectNode> reply) throws IOException, BcosSDKException {
        String name = command.path("command").asText();
        String topic = command.path("topic").asText();
        if (sdk == null && !name.equals("connect")) throw new IllegalStateException("not connected");
        switch (name) {
            case "connect" -> {
                connect(command);
                answer.put("sdk", sdkVersion());
            }
            case "subscribe" -> sdk.getAmop().subscribeTopic(topic, new Handler());
            case "subscribePrivate" -> {
                KeyTool key = privateKey(command.path("keyFile").asText(), command.path("password").asText());
                sdk.getAmop().subscribePrivateTopics(topic, key, new Handler());
            }
            case "publishPrivate" -> {
                List<KeyTool> keys = new ArrayList<>();
                command.path("publicKeyFiles").forEach(file -> keys.add(new PEMKeyStore(file.asText())));
                sdk.getAmop().publishPrivateTopic(topic, keys);
            }
            case "unsubscribe", "unsubscribePrivate", "unpublishPrivate" -> sdk.getAmop().unsubscribeTopic(topic);
            case "unicast", "unicastPrivate" -> {
                unicast(message(command), answer, reply);
                return;
            }
            case "multicast", "multicastPrivate" -> {
                requirePeer();
                sdk.getAmop().broadcastAmopMsg(message(command));
            }
            case "peers" -> {
                // As the demo publisher does: the group's client, then its peers, once.
                ArrayNode topics = answer.putArray("topics");
                sdk.getClient(1).getPeers().getPeers().forEach(peer -> peer.getTopic().forEach(topics::add));
            }
            case "status" -> answer.put("sdk", sdkVersion()).put("messages", messages.get());
            default -> throw new IllegalArgumentException("no such command: " + name);
        }
        reply.accept(answer.put("ok", true));
    }

    private void connect(JsonNode command) throws IOException, BcosSDKException {
        label = command.path("label").asText();
        Path file = Files.createTempFile("amop-interop", ".toml");
        try {
            String certificates = command.path("certificates").asText();
            String peers = command.path("peer").asText().replace(",", "\", \"");
            Files.writeString(
                    file,
                    "[cryptoMaterial]\ncertPath = \"" + certificates + "\"\n[network]\npeers = [\"" + peers + "\"]\n");
            sdk = BcosSDK.build(file.toString());
        } finally {
            Files.delete(file);
        }
    }

    /** As the demo loads keys: what is called .p12 is PKCS#12. */
    private static KeyTool privateKey(String file, String password) {
        return file.endsWith(".p12") ? new P12KeyStore(file, password) : new PEMKeyStore(file);
    }

    private void unicast(AmopMsgOut message, ObjectNode answer, Consumer<ObjectNode> reply) {
        requirePeer();
        sdk.getAmop().sendAmopMsg(message, new AmopResponseCallback() {
            @Override
            public void onResponse(AmopResponse response) {
                int code = response.getErrorCode();
                answer.put("ok", code == 0);
                if (code == 0) answer.put("payload", response.getAmopMsgIn().getContent());
                else answer.put("code", code).put("error", response.getErrorMessage());
                reply.accept(answer);
            }
        });
    }

    /** Without a connection the SDK sends nothing and never calls back. */
    private void requirePeer() {
        if (sdk.getChannel().getAvailablePeer().isEmpty()) throw new IllegalStateException("no available peer");
    }

    private static AmopMsgOut message(JsonNode command) throws IOException {
        AmopMsgOut message = new AmopMsgOut();
        message.setTopic(command.path("topic").asText());
        message.setContent(command.path("payload").binaryValue());
        if (command.path("command").asText().endsWith("Private")) message.setType(TopicType.PRIVATE_TOPIC);
        message.setTimeout(UNICAST_TIMEOUT_MS);
        return message;
    }

    /** The jar that the SDK was loaded from. */
    private static String sdkVersion() {
        Path jar = Path.of(BcosSDK.class.getProtectionDomain().getCodeSource().getLocation().getPath());
        return jar.getFileName().toString().replace(".jar", "");
    }

    /** Answers every message with the label and what came. */
    private final class Handler extends AmopCallback {
        @Override
        public byte[] receiveAmopMsg(AmopMsgIn message) {
            messages.incrementAndGet();
            Main.write(Main.event("message").put("topic", message.getTopic()).put("payload", message.getContent()));
            byte[] prefix = (label + ":").getBytes(StandardCharsets.UTF_8);
            byte[] answer = new byte[prefix.length + message.getContent().length];
            System.arraycopy(prefix, 0, answer, 0, prefix.length);
            System.arraycopy(message.getContent(), 0, answer, prefix.length, message.getContent().length);
            return answer;
        }
    }
}
