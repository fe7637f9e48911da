<?php
// A visitor's journey: start, send, read, list, close, and look up an unknown conversation.
declare(strict_types=1);

use GuzzleHttp\Client;
use SiteAssist\Api\ConversationsApi;
use SiteAssist\Api\IdentityApi;
use SiteAssist\Api\MessagesApi;
use SiteAssist\ApiException;
use SiteAssist\Configuration;
use SiteAssist\Model\CloseConversationRequest;
use SiteAssist\Model\InitRequest;
use SiteAssist\Model\SendMessageRequest;

// Debian's package of Guzzle; with Composer, it is vendor/autoload.php.
require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $path = __DIR__ . '/client/lib/' . str_replace(['SiteAssist\\', '\\'], ['', '/'], $class) . '.php';
    if (is_file($path)) {
        require $path;
    }
});

// A warning is a failure, too.
set_error_handler(function (int $level, string $message): never {
    throw new ErrorException($message);
});

function expect(bool $fact, string $what): void
{
    if (!$fact) {
        throw new UnexpectedValueException("$what expected");
    }
}

$config = Configuration::getDefaultConfiguration();
$config->setHost(getenv('SITEASSIST_BASE_URL') ?: 'http://127.0.0.1:8787/v2');
$http = new Client();

$device = new InitRequest(['api_key' => 'sa_pk_1234567890abcdef', 'sa_vid' => 'php']);
$session = (new IdentityApi($http, $config))->init($device);
echo "visitor {$session->getVisitor()->getId()}\n";
$config->setAccessToken($session->getSessionToken());

$conversations = new ConversationsApi($http, $config);
$id = $conversations->startConversation()->getId();
echo "started $id\n";

$question = new SendMessageRequest(['content' => 'How long does shipping take?']);
$answer = (new MessagesApi($http, $config))->sendMessage($id, $question);
$text = '';
foreach ($answer->getSteps() as $step) {
    foreach ($step->getContent() as $part) {
        $text .= $part->getText();
    }
}
expect($text !== '', 'an answer');
echo "answered $text\n";

$page = $conversations->getConversations();
expect($page->getData()[0]->getId() === $id, 'the conversation');
echo "listed {$page->getData()[0]->getId()}\n";

$reason = new CloseConversationRequest(['close_reason' => 'done']);
$closed = $conversations->closeConversation($id, $reason);
expect($closed->getSuccess(), 'success');
echo "closed true\n";

try {
    $conversations->getConversation('00000000-0000-4000-8000-000000000000');
    expect(false, '404');
} catch (ApiException $missing) {
    expect($missing->getCode() === 404, '404');
    $code = $missing->getResponseObject()->getError()->getCode();
    expect($code === 'CONVERSATION_NOT_FOUND', 'its code');
    echo "missing $code\n";
}
